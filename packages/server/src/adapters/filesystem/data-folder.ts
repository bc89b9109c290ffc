import { access, open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { tryLock } from 'fs-native-extensions';
import { StartError } from '../../errors.ts';
import { makeFolder } from './make-folder.ts';

/** How often a server is to look whether its lock file is still there, in milliseconds. */
export const LOOK_INTERVAL = 500;

/** How long a running server is given to notice that it is not. */
const NOTICE_TIME = 1200;

export interface DataLock {
  /**
   * Makes the lock file again where somebody has deleted it: it looks like a leftover. Call it every `LOOK_INTERVAL`.
   *
   * @throws StartError `data_in_use` where another server has made it before
   */
  keep(): Promise<void>;
  release(): Promise<void>;
}

/**
 * Opens the data folder for one server alone; made with mode 0700 where it does not exist.
 *
 * The lock is the kernel's, on an open file: it is gone with the process however that ends, so that a killed
 * server's folder is free at once.
 *
 * @throws StartError `data_in_use`, naming the process that holds it
 */
export async function lockDataFolder(folder: string): Promise<DataLock> {
  const path = join(folder, 'server.lock');
  let file: FileHandle;
  try {
    await makeFolder(folder);
    const mayBeDeleted = !(await exists(path)) && (await exists(join(folder, 'images')));
    file = await open(path, 'a+', 0o600);
    // Whoever still runs here locks the new file first.
    if (mayBeDeleted) await delay(NOTICE_TIME);
  } catch (error) {
    // Without the lock two servers could start here, and both would write once that is possible.
    const isReadOnly = (error as NodeJS.ErrnoException).code === 'EROFS';
    const what = isReadOnly
      ? 'is read-only, and a server has to write there: make it writable, and start again.'
      : `cannot be used: ${(error as Error).message}`;
    throw new StartError('data_unreadable', `The data folder ${folder} ${what}`, { cause: error });
  }
  await lock(folder, file);
  return {
    async keep() {
      // Not by comparing inodes: some file systems of networks number one file differently from time to time.
      const { nlink } = await file.stat();
      if (nlink > 0 && (await exists(path))) return;
      const again = await open(path, 'a+', 0o600);
      await lock(folder, again);
      await file.close();
      file = again;
    },

    release: () => file.close(),
  };
}

/** Where it rejects, the file is closed again. */
async function lock(folder: string, file: FileHandle): Promise<void> {
  try {
    // The byte that is locked lies beyond the text, because Windows lets nobody read a locked one.
    if (!tryLock(file.fd, 1_000_000, 1)) {
      const holder = await readHolder(file);
      const message = `The data folder ${folder} is in use by another imgup server${holder}: stop that one, or choose another folder with --data.`;
      throw new StartError('data_in_use', message);
    }
  } catch (error) {
    await file.close();
    throw error;
  }
  try {
    await file.truncate(0);
    await file.write(`${process.pid}\n`);
  } catch {
    // It is for a message alone, and a full disk keeps no server from starting.
  }
}

async function readHolder(file: FileHandle): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(32), 0, 32, 0);
  const pid = buffer.toString('utf8', 0, bytesRead).trim();
  return /^\d+$/.test(pid) ? ` (process ${pid})` : '';
}

/** Throws where the disk does not say: what is taken for missing would be made again, and found locked by this server. */
async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
