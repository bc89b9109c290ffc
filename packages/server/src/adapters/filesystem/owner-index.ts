import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import type { Usage } from '../../ports/image-store.ts';

/** How many owners' indexes are kept; the others are read again when they are asked for. */
const MAX_OWNERS = 1000;

/** Files that are looked at at the same time when an index is made. */
const STATS_AT_ONCE = 64;

interface Index {
  /** In alphabetical order, which is from the newest to the oldest. */
  ids: string[];
  /** Of each picture, in the same order: what is taken off for one is what was counted for it. */
  sizes: number[];
  /** All sizes together. */
  bytes: number;
}

/**
 * Remembers the names in an owner's folder and the bytes they take, so that a page of a list costs the same with 100
 * pictures and with 100,000. It is a cache: the folder is what counts, and is read when an owner is first asked for.
 */
export function createOwnerIndex(folder: string) {
  const indexes = new LRUCache<string, Promise<Index>>({ max: MAX_OWNERS });

  function load(owner: string): Promise<Index> {
    const known = indexes.get(owner);
    if (known !== undefined) return known;
    const reading = readIndex(join(folder, owner));
    indexes.set(owner, reading);
    reading.catch(() => indexes.delete(owner));
    return reading;
  }

  /** What cannot be read is not in memory either, and no reason to take for failed what has been stored. */
  const known = async (owner: string) => indexes.get(owner)?.catch(() => undefined);

  return {
    /** The ids after this one, or from the newest; at most `limit`. */
    async page(owner: string, after: string | null, limit: number): Promise<string[]> {
      const { ids } = await load(owner);
      const at = after === null ? 0 : position(ids, after);
      const start = ids[at] === after ? at + 1 : at;
      return ids.slice(start, start + limit);
    },

    async usage(owner: string): Promise<Usage> {
      const { ids, bytes } = await load(owner);
      return { pictures: ids.length, bytes };
    },

    /** Call once the picture is stored. An owner whose index is not in memory costs nothing. */
    async add(owner: string, id: string, bytes: number): Promise<void> {
      const index = await known(owner);
      if (index === undefined) return;
      // It is there already if it was stored while the folder was being read, and counted with whatever was seen of it.
      take(index, id);
      const at = position(index.ids, id);
      index.ids.splice(at, 0, id);
      index.sizes.splice(at, 0, bytes);
      index.bytes += bytes;
    },

    /** Call once the picture is removed. */
    async remove(owner: string, id: string): Promise<void> {
      const index = await known(owner);
      if (index !== undefined) take(index, id);
    },

    forget(owner: string): void {
      indexes.delete(owner);
    },
  };
}

async function readIndex(home: string): Promise<Index> {
  const names = await readdir(home).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const sizes = new Map(
    names.filter((name) => name.endsWith('.json')).map((name) => [name.slice(0, -'.json'.length), 0]),
  );
  const pictures = names.filter((name) => !name.endsWith('.json') && sizes.has(idOf(name)));
  for (let at = 0; at < pictures.length; at += STATS_AT_ONCE) {
    const some = pictures.slice(at, at + STATS_AT_ONCE);
    await Promise.all(some.map(async (name) => sizes.set(idOf(name), await sizeOf(join(home, name)))));
  }
  const sorted = [...sizes].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const all = sorted.map(([, size]) => size);
  return { ids: sorted.map(([id]) => id), sizes: all, bytes: all.reduce((sum, size) => sum + size, 0) };
}

function take(index: Index, id: string): void {
  const at = position(index.ids, id);
  if (index.ids[at] !== id) return;
  index.ids.splice(at, 1);
  index.bytes -= index.sizes.splice(at, 1)[0] ?? 0;
}

function idOf(name: string): string {
  return name.slice(0, name.lastIndexOf('.'));
}

/** 0 where the picture was removed meanwhile. */
async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

/** Where the id is in the sorted list, or would be. */
function position(ids: string[], id: string): number {
  let [low, high] = [0, ids.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ids[middle] ?? '') < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
