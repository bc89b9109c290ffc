import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import type { PictureCache } from '../../ports/picture-cache.ts';
import { createMakeOnce } from '../make-once.ts';

/**
 * A folder of files that can be made again, kept below a size: those that were used least recently go first.
 *
 * @param maxBytes of all files together
 */
export async function openCacheFolder(folder: string, maxBytes: number): Promise<PictureCache> {
  // Again and again, for it may be removed at any time.
  const makeFolder = () => mkdir(folder, { recursive: true, mode: 0o700 });
  await makeFolder();
  const sizes = new LRUCache<string, number>({
    maxSize: maxBytes,
    sizeCalculation: (bytes) => Math.max(1, bytes),
    dispose: (_, key, reason) => {
      if (reason === 'evict') rm(join(folder, key), { force: true }).catch(() => undefined);
    },
  });

  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  const stats = await Promise.all(names.map((name) => stat(join(folder, name))));
  const found = stats.map(({ size, mtimeMs }, at) => ({ name: names[at] ?? '', size, mtimeMs }));
  for (const { name, size } of found.toSorted((a, b) => a.mtimeMs - b.mtimeMs)) {
    // Drafts of an interrupted server, and what is too large since the cache was made smaller.
    if (name.startsWith('.') || size > maxBytes) await rm(join(folder, name), { force: true });
    else sizes.set(name, size);
  }

  async function draft(): Promise<string> {
    await makeFolder();
    return join(folder, `.${randomUUID()}`);
  }

  async function keep(key: string, draft: string): Promise<void> {
    const { size } = await stat(draft);
    // It could never be evicted, for it would not be counted.
    if (size > maxBytes) return rm(draft);
    await rename(draft, join(folder, key));
    sizes.set(key, size);
  }

  async function remove(keys: string[]): Promise<void> {
    const known = keys.filter((key) => sizes.delete(key));
    await Promise.all(known.map((key) => rm(join(folder, key), { force: true })));
  }

  return {
    draft,
    keep,
    make: createMakeOnce({ draft, keep }),

    async open(key) {
      if (sizes.get(key) === undefined) return null;
      try {
        const file = await open(join(folder, key), 'r');
        const { size } = await file.stat().catch(async (error: unknown) => {
          await file.close();
          throw error;
        });
        return { bytes: size, read: (range) => file.createReadStream(range), close: () => file.close() };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
        // The folder may be emptied at any time, and is what counts.
        sizes.delete(key);
        return null;
      }
    },

    remove,
    removeAll: (prefix) => remove([...sizes.keys()].filter((key) => key.startsWith(prefix))),
  };
}
