import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findCorpus } from '../../../torture/upload-corpus.js';
import { AppError } from '../src/errors.ts';
import { recognisePicture } from '../src/services/recognise-picture.ts';
import { looks, stripTo } from './metadata.ts';

test('valid pictures look the same without their metadata, and the others end as results or as refusals', async () => {
  const corpus = findCorpus();
  if (corpus === null) {
    // No skipped test: the corpus is no part of the project, and nobody has to have it.
    console.log('metadata-corpus.test.ts: nothing is stripped, there is no corpus beside the checkout');
    return;
  }
  const [, ...lines] = (await readFile(join(corpus, 'manifest.csv'), 'utf8')).trim().split('\n');
  const folder = await mkdtemp(join(tmpdir(), 'imgup-corpus-'));
  const table: Record<string, Record<string, number>> = {};
  const wrong: string[] = [];
  let slowest = 0;

  async function check(file: string, expected: string): Promise<void> {
    const from = join(corpus ?? '', file);
    const type = await recognise(from);
    if (type === null) return;
    const to = join(folder, file.replaceAll('/', '-'));
    const started = performance.now();
    let outcome = 'stripped';
    try {
      await stripTo({ from, to, type });
      slowest = Math.max(slowest, performance.now() - started);
      // Decoding the others is the business of others.
      if (expected === 'valid' && !(await looksTheSame(from, to))) wrong.push(`${file} looks different`);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'image_invalid') throw error;
      outcome = 'refused';
      if (expected === 'valid') wrong.push(`${file} was refused: ${error.message}`);
    }
    const row = (table[`${type}, ${expected}`] ??= {});
    row[outcome] = (row[outcome] ?? 0) + 1;
    await rm(to, { force: true });
  }

  const waiting = lines.map((line) => line.split(','));
  async function work(): Promise<void> {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await check(next[0] ?? '', next[2] ?? '');
  }
  await Promise.all([work(), work(), work(), work()]);
  await rm(folder, { recursive: true });
  console.table(table);
  console.info(`The slowest took ${Math.round(slowest)} ms.`);
  expect(wrong).toEqual([]);
  expect(Object.keys(table).length).toBeGreaterThan(10);
}, 120_000);

async function recognise(path: string) {
  const head = Buffer.alloc(4100);
  const file = await open(path);
  const { bytesRead } = await file.read(head, 0, head.length, 0);
  await file.close();
  return (await recognisePicture(head.subarray(0, bytesRead))).type;
}

/** Where the decoder knows neither, nobody can tell. */
async function looksTheSame(from: string, to: string): Promise<boolean> {
  const before = await looks(from).catch(() => null);
  if (before === null) return true;
  const after = await looks(to);
  // What turns an AVIF are boxes of its own, and its Exif does not.
  if (from.endsWith('.avif')) after.orientation = before.orientation;
  return JSON.stringify(before) === JSON.stringify(after);
}
