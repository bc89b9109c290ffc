import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { withLock, type LockOptions } from '../../src/credentials/lock.ts';
import { compileProgram, type Program } from './run-program.ts';

/** Says when it holds the lock, counts in a file in a way that loses counts without the lock, and can stay. */
const PROGRAM = `
  import { readFile, writeFile } from 'node:fs/promises';
  import { withLock } from './lock.ts';
  const [kind, path, counter, rounds] = process.argv.slice(2);
  const native = kind === 'file' ? { loadKernelLocks: async () => null } : {};
  for (let round = 0; round < Number(rounds); round++) {
    await withLock(path, { timeoutMs: 60_000, ...native }, async ({ held }) => {
      if (!held) throw new Error('not held');
      console.log('held');
      if (counter === 'stay') return new Promise((resolve) => setTimeout(resolve, 600_000));
      await writeFile(counter, String(Number(await readFile(counter, 'utf8')) + 1));
    });
  }`;

const NATIVE: Partial<LockOptions> = {};
const WITHOUT_NATIVE: Partial<LockOptions> = { loadKernelLocks: async () => null };
const WITHOUT_SUPPORT: Partial<LockOptions> = {
  loadKernelLocks: async () => ({
    tryLock() {
      throw Object.assign(new Error('no locks available'), { code: 'ENOLCK' });
    },
    unlock() {},
  }),
};

let program: Program;
beforeAll(async () => {
  program = await compileProgram(PROGRAM);
});
afterAll(() => program.remove());

describe.each([
  { name: 'kernel lock', kind: 'native', options: NATIVE },
  { name: 'lock by file', kind: 'file', options: WITHOUT_NATIVE },
])('$name', { timeout: 60_000 }, ({ kind, options }) => {
  let directory: string;
  let path: string;
  const cleanUp: (() => unknown)[] = [];
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'imgup-lock-'));
    path = join(directory, 'private', 'some.lock');
  });
  afterEach(async () => {
    for (const each of cleanUp.splice(0)) await each();
    await rm(directory, { recursive: true, force: true });
  });

  const startHolder = async (): Promise<ReturnType<Program['start']>> => {
    const holder = program.start([kind, path, 'stay', '1']);
    cleanUp.push(() => holder.kill('SIGKILL'));
    await once(holder.stdout, 'data');
    return holder;
  };

  it('work under one path is done one after another, and its result handed back', async () => {
    let inside = 0;
    const results = await Promise.all(
      [1, 2, 3, 4, 5].map((number) =>
        withLock(path, { timeoutMs: 30_000, ...options }, async ({ held }) => {
          expect(held).toBe(true);
          expect(++inside).toBe(1);
          await delay(5);
          inside--;
          return number;
        }),
      ),
    );
    expect(results).toEqual([1, 2, 3, 4, 5]);
  });

  it('work that fails frees the lock', async () => {
    const failing = withLock(path, { timeoutMs: 5_000, ...options }, async () => {
      throw new Error('the work failed');
    });
    await expect(failing).rejects.toThrow('the work failed');

    expect(await withLock(path, { timeoutMs: 5_000, ...options }, async ({ held }) => held)).toBe(true);
  });

  it('eight processes never do their work at the same time', async () => {
    const counter = join(directory, 'counter');
    await writeFile(counter, '0');
    const workers = Array.from({ length: 8 }, () => program.start([kind, path, counter, '25']));
    const exits = await Promise.all(workers.map((each) => once(each, 'exit')));

    expect(exits.map(([code]) => code as number)).toEqual(workers.map(() => 0));
    expect(await readFile(counter, 'utf8')).toBe('200');
  });

  it('SIGKILL under the lock frees it', async () => {
    const holder = await startHolder();
    const waiting = withLock(path, { timeoutMs: 30_000, ...options }, async ({ held }) => held);
    holder.kill('SIGKILL');

    expect(await waiting).toBe(true);
  });

  it('a holder that is stopped is stepped over, and the work is told', async () => {
    const holder = await startHolder();
    holder.kill('SIGSTOP');

    expect(await withLock(path, { timeoutMs: 300, ...options }, async ({ held }) => held)).toBe(false);
    holder.kill('SIGKILL');
    expect(await withLock(path, { timeoutMs: 30_000, ...options }, async ({ held }) => held)).toBe(true);
  });

  it.skipIf(process.platform === 'win32')('its files are 0600 in a folder of 0700', async () => {
    const before = process.umask(0);
    try {
      await withLock(path, { timeoutMs: 5_000, ...options }, async () => {
        for (const name of await readdir(join(directory, 'private'))) {
          expect((await stat(join(directory, 'private', name))).mode & 0o777).toBe(0o600);
        }
      });
    } finally {
      process.umask(before);
    }
    expect((await stat(join(directory, 'private'))).mode & 0o777).toBe(0o700);
  });

  it('leaves no drafts behind', async () => {
    await Promise.all([1, 2, 3].map(() => withLock(path, { timeoutMs: 5_000, ...options }, async () => delay(30))));

    expect(await readdir(join(directory, 'private'))).toEqual(kind === 'file' ? [] : ['some.lock']);
  });
});

it('a file system without locks is served by the lock by file', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'imgup-lock-'));
  const path = join(directory, 'some.lock');
  await withLock(path, { timeoutMs: 5_000, ...WITHOUT_SUPPORT }, async ({ held }) => {
    expect(held).toBe(true);
    expect(await withLock(path, { timeoutMs: 50, ...WITHOUT_SUPPORT }, async (second) => second.held)).toBe(false);
  });
  await rm(directory, { recursive: true });
});
