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

test('a worker that hangs is ended, another takes its place, and a job that waited is not blamed', async () => {
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
  const [hanging, waiting] = await Promise.allSettled([pool.run('hang', {}), pool.run('answer', {})]);
  expect(hanging).toMatchObject({ reason: { code: 'job_too_long' } });
  expect(waiting).toMatchObject({ reason: { code: 'worker_unavailable' } });
  expect(await pool.run('answer', {})).toBe(42);
}, 20_000);
