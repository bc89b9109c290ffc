import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { createWorkerPool } from '../src/worker-pool.ts';
import { temporaryFolder } from './test-app.ts';

const WORKER = `
export const answer = () => 42;
export const hang = () => { for (;;); };
`;

test('a worker that hangs is ended, and another takes its place', async () => {
  const file = join(await temporaryFolder(), 'worker.mjs');
  await writeFile(file, WORKER);
  const pool = createWorkerPool({
    file: pathToFileURL(file),
    runtime: 'child_process',
    workers: 1,
    maxWaiting: 4,
    longest: 1500,
  });
  onTestFinished(() => pool.close());
  await expect(pool.run('hang', {})).rejects.toMatchObject({ code: 'worker_unavailable' });
  expect(await pool.run('answer', {})).toBe(42);
}, 20_000);
