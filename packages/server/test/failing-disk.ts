import fs, { open, type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished, vi } from 'vitest';
import { temporaryFolder } from './test-app.ts';

/**
 * Counts fsyncs from now on; `failFrom` makes that one and all later ones fail, `failOnce` that one alone, and
 * `failRemovals` all removals of files (in a folder) as well, until `mend`.
 */
export async function watchSyncs() {
  const handle = await open(join(await temporaryFolder(), 'any'), 'w');
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const { rm } = fs;
  const setRemoval = (removal: typeof rm) => {
    fs.rm = removal;
    syncBuiltinESMExports();
  };
  let count = 0;
  let fails = (_count: number) => false;
  let delay = 0;
  const sync = prototype.sync;
  const inodes: number[] = [];
  const spy = vi.spyOn(prototype, 'sync').mockImplementation(async function (this: FileHandle) {
    count += 1;
    if (fails(count)) throw Object.assign(new Error('EIO: the disk is broken'), { code: 'EIO', syscall: 'fsync' });
    if (count === 1) await sleep(delay);
    await sync.call(this);
    inodes.push((await this.stat()).ino);
  });
  const start = (when: typeof fails) => {
    count = 0;
    fails = when;
  };
  const mend = () => {
    fails = () => false;
    setRemoval(rm);
  };
  onTestFinished(() => {
    mend();
    spy.mockRestore();
  });
  return {
    /** The inodes that were fsynced. */
    inodes,
    failOnce: (nth: number) => start((each) => each === nth),
    failFrom: (nth: number) => start((each) => each >= nth),
    failRemovals(folder = '') {
      setRemoval((path, options) =>
        String(path).startsWith(folder)
          ? Promise.reject(Object.assign(new Error('EROFS: read-only'), { code: 'EROFS', syscall: 'unlink' }))
          : rm(path, options),
      );
    },
    /** Makes the next fsync take longer than other work does. */
    delayNext() {
      start(() => false);
      delay = 100;
    },
    mend,
  };
}

/** Makes opening one file fail, until the test ends. */
export function failOpening(path: string, code: string): void {
  failCall('open', path, code);
}

/** Makes the look whether one file is there fail, until the test ends; returns how often it has. */
export function failLookingAt(path: string, code: string): () => number {
  return failCall('access', path, code);
}

function failCall(name: 'open' | 'access', path: string, code: string): () => number {
  const original = fs[name];
  let failures = 0;
  const set = (call: unknown) => {
    Object.assign(fs, { [name]: call });
    syncBuiltinESMExports();
  };
  set((...args: unknown[]) => {
    if (args[0] !== path) return Reflect.apply(original, fs, args) as unknown;
    failures += 1;
    return Promise.reject(Object.assign(new Error(code), { code, syscall: name }));
  });
  onTestFinished(() => set(original));
  return () => failures;
}

/** Makes one file unreadable, as a bad block does, until the test ends. */
export function failReading(path: string): void {
  const { readFile } = fs;
  const failing = (...[file, options]: Parameters<typeof readFile>) =>
    file === path
      ? Promise.reject(Object.assign(new Error('EIO: a bad block'), { code: 'EIO', syscall: 'read' }))
      : readFile(file, options);
  const set = (reading: unknown) => {
    Object.assign(fs, { readFile: reading });
    syncBuiltinESMExports();
  };
  set(failing);
  onTestFinished(() => set(readFile));
}
