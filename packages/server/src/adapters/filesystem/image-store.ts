import { mkdir, open, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError } from '../../errors.ts';
import { isExpired, type ImageRecord, type ImageStore } from '../../ports/image-store.ts';
import type { WrittenFile } from '../../ports/written-file.ts';
import { commitPicture } from './commit-picture.ts';
import { createExpiryCalendar } from './expiry-calendar.ts';
import { createKeyedQueue } from './keyed-queue.ts';
import { exists } from './exists.ts';
import { createOwnerFolders } from './owner-folders.ts';
import { createOwnerIndex } from './owner-index.ts';
import { parseRecord } from './parse-record.ts';
import { createQuotaReservations } from './quota-reservations.ts';
import { readIfThere } from './read-if-there.ts';
import { createRemovedOwners } from './removed-owners.ts';
import { syncFolder } from './sync-folder.ts';
import { syncIfThere } from './sync-if-there.ts';
import { writeDurably } from './write-durably.ts';

/** Ids as the server makes them. Anything else never reaches the file system. */
const SAFE_ID = /^[0-9a-z]{1,40}$/;

/**
 * Pictures in a folder, which is the catalogue too:
 *
 *     <data>/images/<owner>/<id>.<ext>                the picture
 *     <data>/images/<owner>/<id>.json                 its record: writing it commits the upload
 *     <data>/images/<owner>/by-digest/<digest key>    holds the id
 *     <data>/expiring/<hour>/<owner>.<id>             for those that expire
 *
 * They are written in this order, each durable before the next; the last one first of all.
 *
 * @param data the data folder, held by this server alone
 */
export async function openFilesystemImageStore(data: string): Promise<ImageStore> {
  const folder = join(data, 'images');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // What is made here, or was made by an interrupted server, lasts before any picture rests on it.
  for (const path of [data, folder]) await syncFolder(path);
  const calendar = createExpiryCalendar(join(data, 'expiring'));
  const index = createOwnerIndex(folder);
  // Of two uploads of the same bytes at once, the second finds the first.
  const oneAtATime = createKeyedQueue();
  /** Pictures that the disk did not let be removed for good, by the path of their record: nobody finds them any more. */
  const unremoved = new Map<string, ImageRecord>();
  const quotas = createQuotaReservations();
  const withFolders = createOwnerFolders(folder);
  const removedOwners = createRemovedOwners(folder);

  const recordPath = (owner: string, id: string) => join(folder, owner, `${id}.json`);
  const picturePath = ({ owner, id, extension }: ImageRecord) => join(folder, owner, `${id}.${extension}`);
  const pointerPath = (owner: string, digestKey: string) => join(folder, owner, 'by-digest', digestKey);

  async function readRecord(owner: string, id: string): Promise<ImageRecord | null> {
    if (!SAFE_ID.test(owner) || !SAFE_ID.test(id)) return null;
    const text = await readIfThere(recordPath(owner, id));
    return text === null ? null : parseRecord(text, recordPath(owner, id));
  }

  async function head(owner: string, id: string): Promise<ImageRecord | null> {
    return removedOwners.has(owner) || unremoved.has(recordPath(owner, id)) ? null : readRecord(owner, id);
  }

  async function findByDigest(owner: string, digestKey: string): Promise<ImageRecord | null> {
    const id = await readIfThere(pointerPath(owner, digestKey));
    return id === null ? null : head(owner, id);
  }

  /** Whether damage has left a picture under this id without its record. */
  async function isUnrecorded(like: ImageRecord, id: string): Promise<boolean> {
    if (!SAFE_ID.test(id) || (await exists(recordPath(like.owner, id)))) return false;
    return exists(picturePath({ ...like, id }));
  }

  /** @param isKnown whether all but the record is there already, and stays where this fails */
  async function store(record: ImageRecord, file: WrittenFile, isKnown: boolean): Promise<void> {
    const { owner, id } = record;
    const written = recordPath(owner, id);
    try {
      await withFolders(owner, async (home, digests) => {
        if (record.expiresAt !== null) await calendar.add(owner, id, record.expiresAt);
        const picture = picturePath(record);
        const [recorded, pointed] = [
          { path: written, text: JSON.stringify(record) },
          { path: pointerPath(owner, record.digestKey), text: id },
        ];
        await commitPicture({ file, picture, record: recorded, pointer: pointed, home, digests });
      });
    } catch (error) {
      if (isKnown) await removeDurably(written).catch(ignore);
      else await takeBack(record);
      throw error;
    }
    await index.add(owner, id, record.bytes);
  }

  /** The later of two expiries is what both uploaders can rely on. */
  async function extend(known: ImageRecord, expiresAt: string | null): Promise<ImageRecord> {
    if (known.expiresAt === null || (expiresAt !== null && expiresAt <= known.expiresAt)) {
      // It may be so because of a server that was killed, or a disk that failed, before that could last.
      await syncFolder(join(folder, known.owner));
      return known;
    }
    const extended = { ...known, expiresAt };
    if (expiresAt !== null) await calendar.add(known.owner, known.id, expiresAt);
    await writeDurably(recordPath(known.owner, known.id), JSON.stringify(extended));
    return extended;
  }

  /** In the reverse order of `store`, so that a crash leaves nothing that claims more than there is. */
  async function unlink(record: ImageRecord, sync = syncIfThere): Promise<void> {
    const { owner, id } = record;
    const pointer = pointerPath(owner, record.digestKey);
    // The pointer may be a newer picture's, if this one had expired by then.
    if ((await readIfThere(pointer)) === id) await rm(pointer, { force: true });
    // Even where it is gone, for the fsync may be what failed the time before.
    await sync(dirname(pointer));
    await removeDurably(recordPath(owner, id), sync);
    await removeDurably(picturePath(record), sync);
  }

  /** What fails is remembered, to be removed before the owner's next upload of these bytes, or by `finishRemovals`. */
  async function remove(record: ImageRecord): Promise<void> {
    const key = recordPath(record.owner, record.id);
    try {
      await unlink(record);
    } catch (error) {
      unremoved.set(key, record);
      throw error;
    }
    unremoved.delete(key);
    await index.remove(record.owner, record.id);
  }

  /** Removes what was not acknowledged, as durably as a disk that has just failed will do. */
  async function takeBack(record: ImageRecord): Promise<void> {
    await remove(record).catch(() => unlink(record, ignore).catch(ignore));
  }

  async function finishRemovalsOf(owner: string, digestKey: string): Promise<void> {
    const left = [...unremoved.values()].filter((record) => record.owner === owner && record.digestKey === digestKey);
    for (const record of left) await remove(record);
  }

  return {
    head,
    findByDigest,

    expect(file) {
      // Whoever puts it is told.
      file.sync().catch(ignore);
    },

    put(received, file, now, { quota }) {
      return oneAtATime(`${received.owner}/${received.digestKey}`, async () => {
        await finishRemovalsOf(received.owner, received.digestKey);
        const pointed = await readIfThere(pointerPath(received.owner, received.digestKey));
        const known = pointed === null ? null : await head(received.owner, pointed);
        // A record whose picture is lost must not keep the picture out.
        if (known !== null && !isExpired(known, now) && (await exists(picturePath(known)))) {
          return { outcome: 'known', record: await extend(known, received.expiresAt) };
        }
        // Its link has been given out.
        const isThere = pointed !== null && known === null && (await isUnrecorded(received, pointed));
        const record = isThere ? { ...received, id: pointed } : received;
        const work = () => store(record, file, isThere);
        if (quota === null) {
          await work();
          return { outcome: 'created', record };
        }
        const { owner, bytes } = record;
        const { bytes: stored } = await index.usage(owner);
        return (await quotas.within({ owner, bytes, quota, stored }, work))
          ? { outcome: 'created', record }
          : { outcome: 'quota_exceeded' };
      });
    },

    async list(owner, after, limit) {
      if (!SAFE_ID.test(owner)) return { records: [], next: null };
      // One more than asked for tells whether there is a next page.
      const ids = await index.page(owner, after, limit + 1);
      const page = ids.slice(0, limit);
      const looks = await Promise.allSettled(page.map((id) => head(owner, id)));
      const records = looks.flatMap((look) => (look.status === 'fulfilled' && look.value !== null ? [look.value] : []));
      for (const look of looks) {
        // `imgup admin check` tells of damaged ones; they do not hide the others. Of a disk that reads none nothing is known.
        const isLeftOut = look.status === 'fulfilled' || isDamage(look.reason, { othersAreRead: records.length > 0 });
        if (!isLeftOut) throw look.reason;
      }
      const next = ids.length > limit ? (page.at(-1) ?? null) : null;
      return { records, next };
    },

    usage: (owner) => index.usage(owner),

    async read(record, range) {
      // Opened before it is answered, so that a picture that is lost is no broken answer.
      const file = await open(picturePath(record), 'r');
      return file.createReadStream(range);
    },

    withFile: (record, work) => work(picturePath(record)),

    async delete(owner, id) {
      const find = async () => unremoved.get(recordPath(owner, id)) ?? (await readRecord(owner, id));
      const found = await find();
      if (found === null) return null;
      return oneAtATime(`${owner}/${found.digestKey}`, async () => {
        const record = await find();
        if (record !== null) await remove(record);
        return record;
      });
    },

    async deleteOwner(owner) {
      if (!SAFE_ID.test(owner)) return;
      try {
        await removedOwners.remove(owner);
      } finally {
        index.forget(owner);
      }
    },

    async tidyOwner(owner) {
      // Fails where something is left, which is as it should be.
      for (const path of [join(folder, owner, 'by-digest'), join(folder, owner)]) await rmdir(path).catch(ignore);
    },

    async finishRemovals() {
      const removals = [
        ...[...unremoved.values()].map(({ owner, digestKey }) =>
          oneAtATime(`${owner}/${digestKey}`, () => finishRemovalsOf(owner, digestKey)),
        ),
        ...removedOwners.unfinished().map((owner) => removedOwners.remove(owner)),
      ];
      await Promise.allSettled(removals);
      await Promise.all(removals);
    },

    async sweepExpired(now, before, signal = new AbortController().signal) {
      const failures: unknown[] = [];
      await calendar.sweep(now, signal, async (owner, id) => {
        // Not to be forgotten with a restart.
        if (unremoved.has(recordPath(owner, id))) return false;
        try {
          const found = await head(owner, id);
          if (found === null) return true;
          return await oneAtATime(`${owner}/${found.digestKey}`, async () => {
            // Again, for an upload of the same bytes may have put it off while this waited.
            const record = await head(owner, id);
            if (record === null) return true;
            // Put off: a later hour has an entry of its own.
            if (!isExpired(record, now)) return record.expiresAt === null;
            await before(record);
            await remove(record);
            return true;
          });
        } catch (error) {
          // One damaged record keeps neither the others nor the server's start.
          failures.push(error);
          return false;
        }
      });
      return failures;
    },
  };
}

async function removeDurably(path: string, sync = syncIfThere): Promise<void> {
  await rm(path, { force: true });
  await sync(dirname(path));
}

function isDamage(error: unknown, { othersAreRead }: { othersAreRead: boolean }): boolean {
  const isBadBlock = (error as NodeJS.ErrnoException).code === 'EIO';
  return error instanceof AppError || (isBadBlock && othersAreRead);
}

async function ignore(): Promise<void> {
  // It is done as far as it can be done.
}
