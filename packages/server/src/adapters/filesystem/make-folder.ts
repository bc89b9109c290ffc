import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from './sync-folder.ts';

/**
 * Makes a folder (mode 0700) and those above it, where they do not exist, and makes it last through
 * a power cut. Node's own recursive mkdir never returns
 * where a file system answers "no such file" to making a folder in one that exists, as /proc does.
 */
export async function makeFolder(path: string): Promise<void> {
  const make = () =>
    mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  try {
    await make();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await make();
  }
  // Also where it was there: an earlier start may have been killed before this.
  await syncFolder(dirname(path)).catch((error: NodeJS.ErrnoException) => {
    // Somebody else's folder, that may not be read, or one of a file system that knows no fsync.
    if (error.code === 'EIO') throw error;
  });
}
