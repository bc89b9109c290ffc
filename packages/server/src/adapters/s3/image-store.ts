import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pLimit from 'p-limit';
import { AppError } from '../../errors.ts';
import { isExpired, type ImageRecord, type ImageStore } from '../../ports/image-store.ts';
import { createKeyedQueue } from '../filesystem/keyed-queue.ts';
import { IDLE } from './connect.ts';
import { createDigestPointers } from './digest-pointers.ts';
import { createExpiryCalendar } from './expiry-calendar.ts';
import type { Objects } from './objects.ts';
import { storeFault } from './fault.ts';
import { createOwnerUsage } from './owner-usage.ts';
import { keys, parsePictureKey, SAFE_ID } from './picture-keys.ts';
import { createPutPicture } from './put-picture.ts';
import { createRecords } from './records.ts';

interface S3ImageStoreOptions {
  objects: Objects;
  /** A folder for files that are needed for a moment. */
  scratch: string;
}

/** Records of a list that are read at the same time. */
const READ_AT_ONCE = 16;

/** How often a change is tried again that others have come before with. */
const TRIES = 10;

/**
 * Pictures on an S3 store, which any number of servers may share; the keys are those of the data folder:
 *
 *     images/<owner>/<id>.<ext>                the picture
 *     images/<owner>/by-digest/<digest key>    holds the id
 *     images/<owner>/<id>.json                 its record: writing it commits the upload
 *     expiring/<hour>/<owner>.<id>             for those that expire
 *
 * They are written in this order, the last one first of all, and removed in the reverse order.
 */
export function createS3ImageStore({ objects, scratch }: S3ImageStoreOptions): ImageStore {
  const records = createRecords(objects);
  const pointers = createDigestPointers(objects);
  const calendar = createExpiryCalendar(objects);
  const putPicture = createPutPicture({ objects, records, pointers, calendar });
  const usage = createOwnerUsage(objects, () => performance.now());
  // Saves sending the same bytes twice, and removing a picture twice; what decides are conditional writes.
  const oneAtATime = createKeyedQueue();
  /** Pictures that have ended, but of which something is left because the store has failed. */
  const unremoved = new Map<string, ImageRecord>();

  async function head(owner: string, id: string): Promise<ImageRecord | null> {
    if (!SAFE_ID.test(owner) || !SAFE_ID.test(id)) return null;
    const found = await records.read(owner, id);
    return found?.state === 'there' ? found.record : null;
  }

  async function removeRest(record: ImageRecord): Promise<void> {
    const key = keys.record(record.owner, record.id);
    try {
      await putPicture.removeRest(record);
    } catch (error) {
      unremoved.set(key, record);
      throw error;
    }
    unremoved.delete(key);
  }

  /** Ends a picture, unless it has changed since it was read. */
  async function end(record: ImageRecord, etag: string): Promise<boolean> {
    if (!(await records.end(record, etag))) return false;
    await usage.removed(record.owner, record.bytes);
    await removeRest(record);
    return true;
  }

  async function remove(owner: string, id: string): Promise<ImageRecord | null> {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const found = await records.read(owner, id);
      if (found === null) return null;
      const { state, record, etag } = found;
      if (state === 'there') {
        if (await end(record, etag)) return record;
      } else {
        // Its removal may have failed halfway, here or elsewhere.
        if ((await objects.head(keys.picture(record))) === null) return null;
        await removeRest(record);
        return record;
      }
    }
    const detail = 'This picture is being changed elsewhere at the same time. Try again.';
    throw new AppError('storage_unavailable', detail, { headers: { 'Retry-After': '1' } });
  }

  return {
    head,

    async findByDigest(owner, digestKey) {
      const pointer = await pointers.read(owner, digestKey);
      return pointer === null || pointer.id === null ? null : head(owner, pointer.id);
    },

    expect() {
      // It is sent only once nothing is found against it.
    },

    put(received, { path }, now, { quota }) {
      const { owner, digestKey, bytes } = received;
      return oneAtATime(`${owner}/${digestKey}`, async () => {
        const seen = await putPicture.look(received, now);
        const store = async () => {
          const result = await putPicture.store(received, path, now, seen);
          if (result.outcome !== 'created') return result;
          await usage.added(owner, bytes);
          // It is stored; what the disk keeps of it is swept at the next start.
          await rm(path, { force: true }).catch(() => undefined);
          return result;
        };
        if (quota === null || seen.kind === 'known') return store();
        return (await usage.within(owner, bytes, quota, store)) ?? { outcome: 'quota_exceeded' };
      });
    },

    async list(owner, after, limit) {
      if (!SAFE_ID.test(owner)) return { records: [], next: null };
      // One more than asked for tells whether there is a next page.
      const ids = await page(objects, owner, after, limit + 1);
      const read = pLimit(READ_AT_ONCE);
      const found = await read.map(ids.slice(0, limit), (id) => head(owner, id).catch(ifDamaged));
      const next = ids.length > limit ? (ids[limit - 1] ?? null) : null;
      return { records: found.filter((record) => record !== null), next };
    },

    usage: (owner) => usage.of(owner),

    read: (record, range) => objects.open(keys.picture(record), range),

    async withFile(record, work) {
      const path = join(scratch, randomUUID());
      try {
        const picture = await objects.open(keys.picture(record), undefined, IDLE);
        await pipeline(explained(picture), createWriteStream(path, { mode: 0o600 }));
        return await work(path);
      } finally {
        await rm(path, { force: true });
      }
    },

    async delete(owner, id) {
      if (!SAFE_ID.test(owner) || !SAFE_ID.test(id)) return null;
      return oneAtATime(keys.record(owner, id), () => remove(owner, id));
    },

    async deleteOwner(owner) {
      if (!SAFE_ID.test(owner)) return;
      try {
        let some: string[] = [];
        for await (const { key } of objects.list(keys.ofOwner(owner))) {
          some.push(key);
          if (some.length < 1000) continue;
          await objects.remove(some);
          some = [];
        }
        await objects.remove(some);
      } finally {
        usage.forget(owner);
      }
    },

    // There are no folders, and what has ended is swept.
    tidyOwner: () => Promise.resolve(),

    async finishRemovals() {
      const removals = [...unremoved.values()].map(removeRest);
      await Promise.allSettled(removals);
      await Promise.all(removals);
    },

    async sweepExpired(now, before, signal) {
      const failures: unknown[] = [];
      await calendar.sweep(now, async (owner, id) => {
        if (signal?.aborted === true) return false;
        try {
          for (let tries = 0; tries < TRIES; tries += 1) {
            const found = await records.read(owner, id);
            if (found === null || found.state === 'ended') return true;
            const { record, etag } = found;
            // Put off: a later hour has an entry of its own.
            if (!isExpired(record, now)) return record.expiresAt === null;
            await before(record);
            // Where it has changed meanwhile, an upload has put it off, or another server sweeps too.
            if (await end(record, etag)) return true;
          }
          return false;
        } catch (error) {
          // One that resists keeps not the others.
          failures.push(error);
          return false;
        }
      });
      return failures;
    },
  };
}

/** The ids after this one, or from the newest, that have a record; at most `limit`. */
async function page(objects: Objects, owner: string, after: string | null, limit: number): Promise<string[]> {
  const folder = keys.ofOwner(owner);
  const ids: string[] = [];
  // A slash comes behind the dot that follows the id in its keys. Whoever asks has chosen it, so its length is bounded.
  const from = after === null ? {} : { after: `${folder}${after.slice(0, 40)}/` };
  for await (const { key, bytes } of objects.list(folder, { ...from, flat: true })) {
    const found = parsePictureKey(key);
    if (!found?.isRecord || bytes === 0) continue;
    ids.push(found.id);
    if (ids.length === limit) break;
  }
  return ids;
}

/** What breaks off is a fault of the store, other than what goes wrong with the file that it is written to. */
async function* explained(picture: Readable): AsyncGenerator<Buffer> {
  try {
    yield* picture as AsyncIterable<Buffer>;
  } catch (error) {
    throw storeFault(error);
  }
}

function ifDamaged(error: unknown): null {
  if (error instanceof AppError && !isStoreFault(error)) return null;
  throw error;
}

/** Other than of one damaged record. */
function isStoreFault(error: AppError): boolean {
  return 'Retry-After' in error.headers || error.code !== 'storage_unavailable';
}
