import fs, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { onTestFinished } from 'vitest';

const OF_PATHS = [
  'access',
  'mkdir',
  'open',
  'readdir',
  'readFile',
  'rename',
  'rm',
  'rmdir',
  'stat',
  'unlink',
  'writeFile',
];
const OF_FILES = ['close', 'read', 'stat', 'sync', 'write', 'writeFile', 'writev'];

type Call = (...args: unknown[]) => Promise<unknown>;

/** Watches the calls to the file system below some folders until the test ends: what is open there, and which of them are to fail. */
export function watchFileCalls(folders: string[]) {
  const opened = new Map<object, string>();
  /** Of the files that were fsynced, by path. */
  const openedTo = new Map<string, unknown>();
  let count = 0;
  let failing = { from: Infinity, to: 0, code: '', when: Promise.resolve() };
  let failed: string | null = null;

  async function call(name: string, path: string, work: () => Promise<unknown>): Promise<unknown> {
    count += 1;
    if (count < failing.from || count > failing.to) return work();
    failed ??= `${name} ${path}`;
    await failing.when;
    // Whatever it says, the descriptor is gone (close(2)).
    if (name === 'close') await work();
    throw Object.assign(new Error(`${failing.code}: ${name} ${path}`), { code: failing.code, syscall: name });
  }

  function watchHandle(handle: FileHandle, path: string, flags: unknown): void {
    opened.set(handle, path);
    for (const name of OF_FILES) {
      const original = Reflect.get(handle, name) as Call;
      Object.assign(handle, {
        [name]: (...args: unknown[]) => {
          if (name === 'sync') openedTo.set(path, flags);
          if (name === 'close') opened.delete(handle);
          return call(name, path, () => Reflect.apply(original, handle, args));
        },
      });
    }
  }

  const originals = Object.fromEntries(OF_PATHS.map((name) => [name, Reflect.get(fs, name) as Call]));
  const watched = OF_PATHS.map((name) => {
    const original = originals[name] as Call;
    const watching: Call = async (...args) => {
      const path = String(args[0]);
      if (!folders.some((folder) => path.startsWith(folder))) return original(...args);
      const result = await call(name, path, () => original(...args));
      if (name === 'open') watchHandle(result as FileHandle, path, args[1]);
      return result;
    };
    return [name, watching];
  });
  const set = (calls: object) => {
    Object.assign(fs, calls);
    syncBuiltinESMExports();
  };
  set(Object.fromEntries(watched) as object);
  onTestFinished(() => set(originals));

  return {
    /** Makes the nth call from now on fail, or so many from it on; not before `when`. */
    fail(nth: number, code: string, calls = 1, when = Promise.resolve()) {
      count = 0;
      failed = null;
      failing = { from: nth, to: nth + calls - 1, code, when };
    },

    /** @returns the first call that has failed, null: none has */
    mend(): string | null {
      failing = { from: Infinity, to: 0, code: '', when: Promise.resolve() };
      return failed;
    },

    /** How each file or folder that was fsynced had been opened, by path. */
    synced: openedTo,

    /** Paths of files and folders that are open. */
    open: () => [...opened.values()],
  };
}
