import { open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { StorageProbe } from '../../ports/storage-probe.ts';

/** How long a try is good for, in milliseconds. */
const FRESH_FOR = 1000;

interface ProbeOptions {
  folder: string;
  now: () => number;
}

/** Looks at the file system that a folder is on. */
export function createStorageProbe({ folder, now }: ProbeOptions): StorageProbe {
  let write: { at: number; done: Promise<void> } | undefined;

  async function writeAndSync(): Promise<void> {
    const path = join(folder, '.probe');
    const file = await open(path, 'w', 0o600);
    try {
      await file.writeFile('probe');
      await file.sync();
    } finally {
      await file.close();
      await rm(path, { force: true });
    }
  }

  return {
    async freeBytes() {
      const { bavail, bsize } = await statfs(folder);
      return bavail * bsize;
    },

    tryWriting() {
      if (write === undefined || Math.abs(now() - write.at) >= FRESH_FOR) write = { at: now(), done: writeAndSync() };
      return write.done;
    },
  };
}
