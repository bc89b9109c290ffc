import fs, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { onTestFinished } from 'vitest';

const OF_PATHS = ['access', 'mkdir', 'open', 'readdir', 'readFile', 'rename', 'rm', 'rmdir', 'stat', 'unlink', 'writeFile'];
const OF_FILES = ['close', 'read', 'stat', 'sync', 'write', 'writeFile', 'writev'];

type Call = (...args: unknown[]) => Promise<unknown>;

/**
 * Counts the calls to the file system below some folders, until the test ends; the nth fails, where that is asked for, and
 * knows which files are open.
 */
export function watchFileCalls(folders: string[]) {
  const opened = new Map<object, string>();
  let count = 0;
  let failing = { from: Infinity, to: 0, code: '' };
  let failed: string | null = null;

  async function call(name: string, path: string, work: () => Promise<unknown>): Promise<unknown> {
    count += 1;
    if (count < failing.from || count > failing.to) return work();
    failed ??= `${name} ${path}`;
    // Whatever it says, the descriptor is gone (close(2)).
    if (name === 'close') await work();
    throw Object.assign(new Error(`${failing.code}: ${name} ${path}`), { code: failing.code, syscall: name });
  }

  function watchHandle(handle: FileHandle, path: string): void {
    opened.set(handle, path);
    handle.once('close', () => opened.delete(handle));
    for (const name of OF_FILES) {
      const original = Reflect.get(handle, name) as Call;
      Object.assign(handle, {
        [name]: (...args: unknown[]) => call(name, path, () => Reflect.apply(original, handle, args)),
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
      if (name === 'open') watchHandle(result as FileHandle, path);
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
    /** Makes calls fail from now on: the nth, and as many after it as are given. */
    fail(nth: number, code: string, more = 0) {
      count = 0;
      failed = null;
      failing = { from: nth, to: nth + more, code };
    },

    /** @returns the first call that has failed, null: none has */
    mend(): string | null {
      failing = { from: Infinity, to: 0, code: '' };
      return failed;
    },

    /** Paths of files and folders that are open. */
    open: () => [...opened.values()],
  };
}
