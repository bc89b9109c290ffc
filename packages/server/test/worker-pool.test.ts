import { closeSync, openSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createWorkerPool } from '../src/worker-pool.ts';
import { temporaryFolder } from './test-app.ts';

vi.mock('node:fs', { spy: true });

const WORKER = `
import { writeFileSync } from 'node:fs';
writeFileSync(new URL('started-' + process.pid, import.meta.url), '');
export const ready = () => null;
export const answer = () => 42;
export const hang = () => { for (;;); };
export const die = () => process.exit(1);
export const starve = () => { throw new Error('EMFILE: too many open files, uv_resident_set_memory'); };
`;

interface PoolOptions {
  folder?: string;
  workers?: number;
  longest?: number;
}

async function openPool({ folder, workers = 1, longest }: PoolOptions = {}) {
  const file = join(folder ?? (await temporaryFolder()), 'worker.mjs');
  await writeFile(file, WORKER);
  const pool = createWorkerPool({
    file: pathToFileURL(file),
    runtime: 'child_process',
    workers,
    maxWaiting: 4,
    ...(longest !== undefined && { longest }),
  });
  onTestFinished(() => pool.close());
  return pool;
}

test('a worker that was woken does the next job, and nobody is woken where there is one', async () => {
  const folder = await temporaryFolder();
  const pool = await openPool({ folder, workers: 2 });
  pool.wake();
  pool.wake();
  expect(await pool.run('answer', {})).toBe(42);
  pool.wake();
  expect(pool.load()).toEqual({ running: 0, waiting: 0 });
  expect((await readdir(folder)).filter((name) => name.startsWith('started-'))).toHaveLength(1);
});

test('a worker that cannot be woken is no failure, and the next job has one', async () => {
  const pool = await openPool();
  vi.mocked(openSync).mockImplementationOnce(() => {
    throw Object.assign(new Error('too many open files'), { code: 'EMFILE', syscall: 'open' });
  });
  pool.wake();
  expect(await pool.run('answer', {})).toBe(42);
});

test('a worker that hangs is ended, another takes its place, and a job that waited is not blamed', async () => {
  const pool = await openPool({ longest: 1500 });
  const [hanging, waiting] = await Promise.allSettled([pool.run('hang', {}), pool.run('answer', {})]);
  expect(hanging).toMatchObject({ reason: { code: 'job_too_long' } });
  expect(waiting).toMatchObject({ reason: { code: 'worker_unavailable' } });
  expect(await pool.run('answer', {})).toBe(42);
}, 20_000);

test('a job does not wait for a worker that has died at work, and the next has another', async () => {
  const pool = await openPool();
  const [dying, waiting] = await Promise.allSettled([pool.run('die', {}), pool.run('answer', {})]);
  expect(dying).toMatchObject({ reason: { code: 'worker_died' } });
  expect(waiting).toMatchObject({ reason: { code: 'worker_unavailable' } });
  expect(await pool.run('answer', {})).toBe(42);
}, 20_000);

test('jobs do not wait for a worker that cannot start, and the next have one that can', async () => {
  const pool = await openPool();
  const { execArgv } = process;
  const restore = () => {
    process.execArgv = execArgv;
  };
  onTestFinished(restore);
  process.execArgv = ['--no-such-option'];
  const jobs = [pool.run('answer', {}), pool.run('answer', {})];
  const results = await Promise.allSettled(jobs);
  for (const result of results) expect(result).toMatchObject({ reason: { code: 'worker_unavailable' } });
  restore();
  expect(await pool.run('answer', {})).toBe(42);
}, 20_000);

test('no process is started without the descriptors that it takes, and none is held', async () => {
  const pool = await openPool();
  const fault = Object.assign(new Error('too many open files'), { code: 'EMFILE', syscall: 'open' });
  vi.mocked(openSync)
    .mockClear()
    .mockReturnValueOnce(1001)
    .mockImplementationOnce(() => {
      throw fault;
    });
  vi.mocked(closeSync).mockClear().mockReturnValueOnce();
  await expect(pool.run('answer', {})).rejects.toMatchObject({ code: 'worker_unavailable', cause: fault });
  expect(vi.mocked(closeSync).mock.calls).toEqual([[1001]]);
  expect(await pool.run('answer', {})).toBe(42);
}, 20_000);

test('a job whose worker the system refuses something was not done', async () => {
  const pool = await openPool();
  await expect(pool.run('starve', {})).rejects.toMatchObject({ code: 'worker_unavailable' });
}, 20_000);

test('a pool that is closed starts no worker again', async () => {
  const pool = await openPool();
  await pool.close();
  await expect(pool.run('answer', {})).rejects.toMatchObject({ code: 'worker_unavailable' });
});
