import { open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { StorageProbe } from '../../ports/storage-probe.ts';

/** How long a look at the disk is good for, in milliseconds. */
const FRESH_FOR = 1000;

interface ProbeOptions {
  folder: string;
  now: () => number;
}

/** Looks at the file system that a folder is on. */
export function createStorageProbe({ folder, now }: ProbeOptions): StorageProbe {
  let room: { at: number; bytes: Promise<number> } | undefined;
  let write: { at: number; done: Promise<void> } | undefined;

  async function measure(): Promise<number> {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  }

  async function writeAndSync(): Promise<void> {
    const path = join(folder, '.probe');
    const file = await open(path, 'w', 0o600);
    try {
      await file.writeFile('probe');
      await file.sync();
    } finally {
      await file.close();
    }
    await rm(path, { force: true });
  }

  return {
    freeBytes() {
      if (room === undefined || Math.abs(now() - room.at) >= FRESH_FOR) room = { at: now(), bytes: measure() };
      return room.bytes;
    },

    tryWriting() {
      if (write === undefined || Math.abs(now() - write.at) >= FRESH_FOR) write = { at: now(), done: writeAndSync() };
      return write.done;
    },
  };
}
