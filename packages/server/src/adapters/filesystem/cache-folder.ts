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

  const names = await readdir(folder);
  const stats = await Promise.all(names.map((name) => stat(join(folder, name))));
  const found = stats.map(({ size, mtimeMs }, at) => ({ name: names[at] ?? '', size, mtimeMs }));
  for (const { name, size } of found.toSorted((a, b) => a.mtimeMs - b.mtimeMs)) {
    // Drafts of an interrupted server.
    if (name.startsWith('.')) await rm(join(folder, name), { force: true });
    else sizes.set(name, size);
  }

  async function keep(key: string, draft: string): Promise<string> {
    const { size } = await stat(draft);
    await rename(draft, join(folder, key));
    sizes.set(key, size);
    return join(folder, key);
  }

  async function makeOne(key: string, draft: string, make: (draft: string) => Promise<void>): Promise<string> {
    try {
      await make(draft);
      return await keep(key, draft);
    } finally {
      making.delete(key);
      await rm(draft, { force: true });
    }
  }

  return {
    draft: () => join(folder, `.${randomUUID()}`),
    keep,

    async get(key, make) {
      if (sizes.get(key) !== undefined) return join(folder, key);
      const underWay = making.get(key);
      if (underWay !== undefined) return underWay;
      const draft = join(folder, `.${randomUUID()}`);
      const made = makeOne(key, draft, make);
      making.set(key, made);
      return made;
    },

    remove(keys) {
      for (const key of keys) sizes.delete(key);
    },
  };
}
