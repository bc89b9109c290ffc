import { AppError } from '../errors.ts';
import { isExpired, type ImageRecord, type ImageStore, type Usage } from '../ports/image-store.ts';
import type { Logger } from '../logger.ts';
import type { SmallVersions } from './small-versions.ts';

interface ImagesOptions {
  store: ImageStore;
  smallVersions: SmallVersions;
  now: () => number;
  logger: Logger;
}

/** In seconds. */
const FRESH = 24 * 60 * 60;
const FRESH_EXPIRING = 60;

export type Images = ReturnType<typeof createImages>;

/** Pictures that are stored: those of one user, and the one behind a public link. */
export function createImages({ store, smallVersions, now, logger }: ImagesOptions) {
  const isAlive = (record: ImageRecord) => !isExpired(record, now());

  return {
    /** The picture behind a public link, or null. A link with another extension than the stored one leads nowhere. */
    async find(owner: string, id: string, extension: string): Promise<ImageRecord | null> {
      const record = await store.head(owner, id);
      return record !== null && record.extension === extension && isAlive(record) ? record : null;
    },

    /**
     * One of this user's pictures.
     *
     * @throws AppError `not_found`, for another user's picture too
     */
    async get(owner: string, id: string): Promise<ImageRecord> {
      const record = await store.head(owner, id);
      if (record === null || !isAlive(record)) throw notFound();
      return record;
    },

    /** What this user has under a digest key, or null. */
    async findByDigest(owner: string, key: string): Promise<ImageRecord | null> {
      const record = await store.findByDigest(owner, key);
      return record !== null && isAlive(record) ? record : null;
    },

    /**
     * This user's pictures from the newest to the oldest, and what they have in all.
     *
     * @param after the id that the page before ended with, or null
     * @returns `next`, what to give as `after` for the next page; null on the last one
     */
    async list(owner: string, after: string | null, limit: number) {
      const { records, next } = await store.list(owner, after, limit);
      const total: Usage = await store.usage(owner);
      return { records: records.filter(isAlive), next, total };
    },

    /** @throws AppError `not_found`, for another user's picture too */
    async remove(owner: string, id: string): Promise<void> {
      const record = await store.head(owner, id);
      // Before, because an interrupted server would not find them any more; and after, for a reader who has just asked.
      if (record !== null) await smallVersions.remove(record);
      const removed = await store.delete(owner, id);
      if (removed === null) throw notFound();
      await smallVersions.remove(removed);
    },

    /** Removes all that a user has. */
    async removeAll(owner: string): Promise<void> {
      await store.deleteOwner(owner);
      await smallVersions.removeAll(owner);
    },

    /** Finishes what the disk has not let be removed; rejects where it still does not. */
    finishRemovals: store.finishRemovals,

    /** Removes what has expired from the disk; readers have not found it since. */
    async sweepExpired(signal: AbortSignal): Promise<void> {
      const [err, ...others] = await store.sweepExpired(now(), smallVersions.remove, signal);
      if (err !== undefined) logger.error({ err, pictures: 1 + others.length }, 'expired pictures cannot be removed');
    },

    /** Seconds that a copy may live on elsewhere: it can still be taken back, and must not outlive the picture. */
    freshFor({ expiresAt }: ImageRecord): number {
      if (expiresAt === null) return FRESH;
      return Math.max(0, Math.min(FRESH_EXPIRING, Math.floor((Date.parse(expiresAt) - now()) / 1000)));
    },

    read: store.read,
  };
}

function notFound(): AppError {
  return new AppError('not_found', 'You have no such picture. GET /api/images lists them.');
}
