import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { exists } from './exists.ts';
import { createKeyedQueue } from './keyed-queue.ts';
import type { OpenFolder } from './open-folder.ts';
import { createSharedFolders } from './shared-folders.ts';
import { syncFolder } from './sync-folder.ts';

/** The two folders of each owner, made when they are first needed, and durable before anything is put in them. */
export function createOwnerFolders(folder: string) {
  /** Folders of owners that are there, but whose fsync has failed. */
  const unsafe = new Set<string>();
  const oneAtATime = createKeyedQueue();
  const openShared = createSharedFolders();

  async function makeFolders(home: string): Promise<void> {
    const digests = join(home, 'by-digest');
    if (!unsafe.has(home) && (await exists(digests))) return;
    unsafe.add(home);
    await mkdir(digests, { recursive: true, mode: 0o700 });
    await syncFolder(folder);
    await syncFolder(home);
    unsafe.delete(home);
  }

  async function open(home: string): Promise<[OpenFolder, OpenFolder]> {
    const opened = await openShared(home);
    try {
      return [opened, await openShared(join(home, 'by-digest'))];
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  /** Runs `work` with the owner's folders. */
  return async function withFolders(
    owner: string,
    work: (home: OpenFolder, digests: OpenFolder) => Promise<void>,
  ): Promise<void> {
    const home = join(folder, owner);
    // Of two first uploads at once, the second waits until the folders are durable.
    const make = () => oneAtATime(home, () => makeFolders(home));
    const found = await open(home).catch(ifMissing);
    if (found === null) await make();
    const [images, digests] = found ?? (await open(home));
    try {
      // Looked at last, for the first may have made them while they were being opened.
      if (unsafe.has(home)) await make();
      await work(images, digests);
    } finally {
      await Promise.all([images.close(), digests.close()]);
    }
  };
}

function ifMissing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}
