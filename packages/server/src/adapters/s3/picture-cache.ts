import { randomUUID } from 'node:crypto';
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { PictureCache } from '../../ports/picture-cache.ts';
import { createMakeOnce } from '../make-once.ts';
import type { Objects } from './objects.ts';
import { uploadFile } from './upload-file.ts';

interface S3PictureCacheOptions {
  objects: Objects;
  /** A folder for files that are being made. */
  scratch: string;
}

/** Where a small version lies. */
export function cacheKey(key: string): string {
  return `cache/${key}`;
}

/**
 * Small versions beside the pictures on an S3 store, made by whichever server is asked first. They have no bound: a
 * lifecycle rule of the bucket is what removes old ones.
 */
export function createS3PictureCache({ objects, scratch }: S3PictureCacheOptions): PictureCache {
  const draft = async () => join(scratch, `${randomUUID()}.small`);

  async function keep(key: string, path: string): Promise<void> {
    const { size } = await stat(path);
    const type = `image/${key.slice(key.lastIndexOf('.') + 1)}`;
    await uploadFile(objects, cacheKey(key), path, { bytes: size, sha256: null, type });
    await rm(path, { force: true });
  }

  return {
    draft,
    keep,
    make: createMakeOnce({ draft, keep }),

    async open(key) {
      const found = await objects.head(cacheKey(key));
      if (found === null) return null;
      return {
        bytes: found.bytes,
        read: (range) => objects.open(cacheKey(key), range),
        close: () => Promise.resolve(),
      };
    },

    remove: (keys) => objects.remove(keys.map(cacheKey)),

    async removeAll(prefix) {
      const found: string[] = [];
      for await (const { key } of objects.list(cacheKey(prefix))) found.push(key);
      await objects.remove(found);
    },
  };
}
