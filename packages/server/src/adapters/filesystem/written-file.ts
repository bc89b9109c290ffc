import type { FileHandle } from 'node:fs/promises';
import type { WrittenFile } from '../../ports/written-file.ts';

/** @param handle is this file's from now on */
export function createWrittenFile(path: string, handle: FileHandle): WrittenFile {
  let syncing: Promise<void> | undefined;
  let closing: Promise<void> | undefined;

  // What has to last was fsynced before.
  const closeHandle = () => (closing ??= handle.close().catch(() => undefined));

  async function syncHandle(): Promise<void> {
    try {
      await handle.sync();
    } finally {
      await closeHandle();
    }
  }

  return {
    path,

    sync() {
      syncing ??= syncHandle();
      return syncing;
    },

    async close() {
      // Its number may be another file's by then.
      await syncing?.catch(() => undefined);
      await closeHandle();
    },
  };
}
