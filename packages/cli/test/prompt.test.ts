import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { createPrompt, type Prompt } from '../src/prompt.ts';
import { collector } from './world.ts';

const fine = () => undefined;

function person() {
  const stdin = new PassThrough();
  return { stdin, prompt: createPrompt({ stdin, stderr: collector(true).stream, color: false }) };
}

describe('the end of input is an interruption', () => {
  const questions: [string, (prompt: Prompt) => Promise<unknown>][] = [
    ['name', (prompt) => prompt.username(fine)],
    ['password', (prompt) => prompt.password('Password', fine)],
    ['yes', (prompt) => prompt.confirm('Sure?')],
  ];
  test.each(questions)('Ctrl-D at an empty prompt for a %s', { timeout: 3_000 }, async (_what, question) => {
    const { stdin, prompt } = person();
    const answer = question(prompt);
    stdin.write('\u0004');
    await expect(answer).rejects.toMatchObject({ code: 'interrupted', exitCode: 130 });
  });

  test('a terminal that goes away, also before the question', { timeout: 3_000 }, async () => {
    const { stdin, prompt } = person();
    const answer = prompt.username(fine);
    stdin.end();
    await expect(answer).rejects.toMatchObject({ code: 'interrupted', exitCode: 130 });
    await expect(prompt.username(fine)).rejects.toMatchObject({ code: 'interrupted' });
  });
});

test('Ctrl-D within an answer is none, and one question follows another', async () => {
  const { stdin, prompt } = person();
  const name = prompt.username(fine);
  stdin.write('ad');
  stdin.write('\u0004');
  setImmediate(() => setImmediate(() => stdin.write('a\r')));
  expect(await name).toBe('ada');
  const password = prompt.password('Password', fine);
  stdin.write('secret\r');
  expect(await password).toBe('secret');
});
