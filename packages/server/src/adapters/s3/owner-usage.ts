import { LRUCache } from 'lru-cache';
import type { Usage } from '../../ports/image-store.ts';
import type { Objects } from './objects.ts';
import { keys, parsePictureKey } from './picture-keys.ts';

const MAX_OWNERS = 10_000;

/** How long a count is good for, in milliseconds a request that it took: 500 pictures take one, 100,000 take 200. */
const FRESH_FOR = 10_000;

interface Count {
  usage: Usage;
  /** When it was made, in milliseconds. */
  at: number;
  freshFor: number;
  /** That it took. */
  requests: number;
}

interface Counting {
  made: Promise<Count>;
  isMade: boolean;
}

/**
 * How much each owner has stored. An S3 store does not say, so all keys of an owner are listed, and the count is kept
 * for a while where that takes more than one request, and for quotas. What this server stores and removes meanwhile counts
 * at once, what others do when it is made again.
 *
 * @param now milliseconds of any clock
 */
export function createOwnerUsage(objects: Objects, now: () => number) {
  const counts = new LRUCache<string, Counting>({ max: MAX_OWNERS });
  /** Bytes that are being stored, by owner. */
  const reserved = new Map<string, number>();

  async function make(owner: string): Promise<Count> {
    const at = now();
    let listed = 0;
    const records = new Set<string>();
    const sizes = new Map<string, number>();
    for await (const { key, bytes } of objects.list(keys.ofOwner(owner), { flat: true })) {
      listed += 1;
      const found = parsePictureKey(key);
      if (found === null) continue;
      if (!found.isRecord) sizes.set(found.id, bytes);
      else if (bytes > 0) records.add(found.id);
    }
    const usage = { pictures: records.size, bytes: 0 };
    for (const id of records) usage.bytes += sizes.get(id) ?? 0;
    const requests = Math.max(1, Math.ceil(listed / 1000));
    return { usage, at, requests, freshFor: FRESH_FOR * requests };
  }

  /** @param maxAge in milliseconds, by the requests that the count took; one that is under way is always young enough */
  async function count(owner: string, maxAge: (requests: number) => number): Promise<Usage> {
    const known = counts.get(owner);
    if (known !== undefined) {
      const { isMade } = known;
      const { usage, at, freshFor, requests } = await known.made;
      if (freshFor > 0 && (!isMade || now() - at < Math.min(freshFor, maxAge(requests)))) return usage;
    }
    const making: Counting = { made: make(owner), isMade: false };
    counts.set(owner, making);
    making.made.then(
      () => (making.isMade = true),
      () => counts.delete(owner),
    );
    return (await making.made).usage;
  }

  async function add(owner: string, pictures: number, bytes: number): Promise<void> {
    const known = counts.get(owner);
    if (known === undefined) return;
    const { isMade } = known;
    const count = await known.made.catch(() => null);
    if (count === null) return;
    // Somebody else may have removed what is taken off here, or its bytes.
    count.usage.pictures = Math.max(0, count.usage.pictures + pictures);
    count.usage.bytes = Math.max(0, count.usage.bytes + bytes);
    // What changed while it was being made may have been counted already.
    if (!isMade) count.freshFor = 0;
  }

  return {
    // What a person is shown holds for all servers where that costs one request, which it does for most.
    of: (owner: string) => count(owner, (requests) => (requests === 1 ? 0 : Infinity)),
    added: (owner: string, bytes: number) => add(owner, 1, bytes),
    removed: (owner: string, bytes: number) => add(owner, -1, -bytes),
    forget: (owner: string) => void counts.delete(owner),

    /** Does work that stores so many bytes, within a quota; uploads to this server do not pass it together. */
    async within<T>(owner: string, bytes: number, quota: number, work: () => Promise<T>): Promise<T | null> {
      const fits = ({ bytes: stored }: Usage) => stored + (reserved.get(owner) ?? 0) + bytes <= quota;
      // Another server may have made room meanwhile.
      if (!fits(await count(owner, () => Infinity)) && !fits(await count(owner, () => 1000))) return null;
      reserved.set(owner, (reserved.get(owner) ?? 0) + bytes);
      try {
        return await work();
      } finally {
        const left = (reserved.get(owner) ?? 0) - bytes;
        if (left > 0) reserved.set(owner, left);
        else reserved.delete(owner);
      }
    },
  };
}
