import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import type { PictureCache } from '../../ports/picture-cache.ts';

/**
 * A folder of files that can be made again, kept below a size: those that were used least recently go first.
 *
 * @param maxBytes of all files together
 */
export async function openCacheFolder(folder: string, maxBytes: number): Promise<PictureCache> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const making = new Map<string, Promise<string>>();
  const sizes = new LRUCache<string, number>({
    maxSize: maxBytes,
    sizeCalculation: (bytes) => Math.max(1, bytes),
    dispose: (_, key, reason) => {
      if (reason === 'evict' || reason === 'delete') rm(join(folder, key), { force: true }).catch(() => undefined);
    },
  });

  const found = await Promise.all(
    (await readdir(folder)).map(async (name) => ({ name, ...(await stat(join(folder, name))) })),
  );
  for (const { name, size, mtimeMs } of found.toSorted((a, b) => a.mtimeMs - b.mtimeMs)) {
    // Drafts of an interrupted server, or a file from the future, which sorts last either way.
    if (name.startsWith('.') || !Number.isFinite(mtimeMs)) await rm(join(folder, name), { force: true });
    else sizes.set(name, size);
  }

  async function keep(key: string, draft: string): Promise<string> {
    const { size } = await stat(draft);
    await rename(draft, join(folder, key));
    sizes.set(key, size);
    return join(folder, key);
  }

  return {
    draft: () => join(folder, `.${randomUUID()}`),
    keep,

    async get(key, make) {
      if (sizes.get(key) !== undefined) return join(folder, key);
      const underWay = making.get(key);
      if (underWay !== undefined) return underWay;
      const draft = join(folder, `.${randomUUID()}`);
      const made = make(draft)
        .then(() => keep(key, draft))
        .finally(async () => {
          making.delete(key);
          await rm(draft, { force: true });
        });
      making.set(key, made);
      return made;
    },

    remove(keys) {
      for (const key of keys) sizes.delete(key);
    },
  };
}
