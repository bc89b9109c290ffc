import { closeSync, openSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createWorkerPool } from '../src/worker-pool.ts';
import { childrenOf } from './processes.ts';
import { temporaryFolder } from './test-app.ts';

vi.mock('node:fs', { spy: true });

const WORKER = `
export const ready = () => null;
export const answer = () => 42;
export const hang = () => { for (;;); };
export const die = () => process.exit(1);
export const starve = () => { throw new Error('EMFILE: too many open files, uv_resident_set_memory'); };
`;

interface PoolOptions {
  workers?: number;
  longest?: number;
}

async function openPool({ workers = 1, longest }: PoolOptions = {}) {
  const file = join(await temporaryFolder(), 'worker.mjs');
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

describe.skipIf(process.platform !== 'linux')('a process', () => {
  test('that was woken does the next job, and none is woken where there is one', async () => {
    const pool = await openPool({ workers: 2 });
    expect(childrenOf(process.pid)).toEqual([]);
    pool.wake();
    pool.wake();
    expect(childrenOf(process.pid)).toHaveLength(1);
    const answers = pool.run('answer', {});
    pool.wake();
    expect(await answers).toBe(42);
    expect(childrenOf(process.pid)).toHaveLength(1);
    pool.wake();
    expect(childrenOf(process.pid)).toHaveLength(1);
  });

  test('that a job has started is not woken', async () => {
    const pool = await openPool({ workers: 2 });
    const answers = pool.run('answer', {});
    pool.wake();
    expect(await answers).toBe(42);
    expect(childrenOf(process.pid)).toHaveLength(1);
  });

  test('that hangs while it starts is not waited for', async () => {
    const pool = await openPool({ workers: 2 });
    pool.wake();
    const [hanging] = childrenOf(process.pid);
    if (hanging === undefined) throw new Error('nothing has been started');
    process.kill(hanging, 'SIGSTOP');
    onTestFinished(() => {
      process.kill(hanging, 'SIGKILL');
    });
    expect(await pool.run('answer', {})).toBe(42);
  });
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
});

test('a job does not wait for a worker that has died at work, and the next has another', async () => {
  const pool = await openPool();
  const [dying, waiting] = await Promise.allSettled([pool.run('die', {}), pool.run('answer', {})]);
  expect(dying).toMatchObject({ reason: { code: 'worker_died' } });
  expect(waiting).toMatchObject({ reason: { code: 'worker_unavailable' } });
  expect(await pool.run('answer', {})).toBe(42);
});

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
});

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
});

test('a job whose worker the system refuses something was not done', async () => {
  const pool = await openPool();
  await expect(pool.run('starve', {})).rejects.toMatchObject({ code: 'worker_unavailable' });
});

test('a pool that is closed starts no worker again', async () => {
  const pool = await openPool();
  await pool.close();
  await expect(pool.run('answer', {})).rejects.toMatchObject({ code: 'worker_unavailable' });
});
