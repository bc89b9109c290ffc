import type { StorageProbe } from '../../ports/storage-probe.ts';
import type { Objects } from './objects.ts';

/** How long a try is good for, in milliseconds. */
const FRESH_FOR = 1000;

/** Who asks is a load balancer, and does not wait for long. In milliseconds. */
const PATIENCE = 3000;

interface S3ProbeOptions {
  objects: Objects;
  /** Of the disk that uploads pass through. */
  disk: StorageProbe;
  now: () => number;
}

/** Looks at the store, and at the disk that uploads are received on. */
export function createS3StorageProbe({ objects, disk, now }: S3ProbeOptions): StorageProbe {
  let write: { at: number; done: Promise<boolean> } | undefined;

  return {
    freeBytes: disk.freeBytes,

    async tryWriting() {
      await disk.tryWriting();
      if (write === undefined || Math.abs(now() - write.at) >= FRESH_FOR) {
        write = { at: now(), done: objects.write('probe', '', { patience: PATIENCE }) };
      }
      await write.done;
    },
  };
}
