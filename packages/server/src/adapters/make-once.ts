import { rm } from 'node:fs/promises';
import type { PictureCache } from '../ports/picture-cache.ts';

/** How every cache makes a file: in a draft that is kept or removed, and once, however many ask at the same time. */
export function createMakeOnce({ draft, keep }: Pick<PictureCache, 'draft' | 'keep'>): PictureCache['make'] {
  const making = new Map<string, Promise<void>>();

  async function makeOne(key: string, make: (draft: string) => Promise<void>): Promise<void> {
    const path = await draft();
    try {
      await make(path);
      await keep(key, path);
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
  }

  return async (key, make) => {
    const made = making.get(key) ?? makeOne(key, make).finally(() => making.delete(key));
    making.set(key, made);
    await made;
  };
}
