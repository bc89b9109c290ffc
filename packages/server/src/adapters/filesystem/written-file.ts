import type { FileHandle } from 'node:fs/promises';
import type { WrittenFile } from '../../ports/written-file.ts';

/** @param handle is this file's from now on */
export function createWrittenFile(path: string, handle: FileHandle): WrittenFile {
  let isOpen = true;
  async function close(): Promise<void> {
    if (!isOpen) return;
    isOpen = false;
    // What has to last was fsynced before.
    await handle.close().catch(() => undefined);
  }
  return {
    path,
    close,

    async sync() {
      try {
        await handle.sync();
      } finally {
        await close();
      }
    },
  };
}
