import { AppError } from '../../errors.ts';
import { isExpired, type ImageRecord, type PutResult } from '../../ports/image-store.ts';
import type { DigestPointers } from './digest-pointers.ts';
import type { createExpiryCalendar } from './expiry-calendar.ts';
import { hasAnswered } from './fault.ts';
import type { Objects } from './objects.ts';
import { keys } from './picture-keys.ts';
import type { Records } from './records.ts';
import { decodeRemains, encodePublicRemains } from './remains.ts';
import { uploadFile } from './upload-file.ts';

interface PutPictureOptions {
  objects: Objects;
  records: Records;
  pointers: DigestPointers;
  calendar: ReturnType<typeof createExpiryCalendar>;
}

/** What is found where a digest leads. */
type Seen =
  | { kind: 'known'; record: ImageRecord; etag: string }
  /** Another server is storing it at this moment, has been killed while it was, or the record was lost. */
  | { kind: 'unrecorded'; id: string }
  /** It leads to nothing that lives. */
  | { kind: 'free'; pointer: { id: string | null; etag: string } | null };

/** Others that change the same picture let one pass each time, so this many at once is more than there are. */
const TRIES = 10;

/**
 * Stores pictures on a store that other servers write to at the same time. Nothing is ever waited for: each step is a
 * conditional write, and who finds that another was faster looks again and goes on from there.
 *
 * The pointer of the digest decides on the id, the record on whether the picture is there. A server that finds a pointer
 * without a record does not know whether another is still at work or was killed, so it writes the record itself: both have
 * the same bytes, and one of the two records is written.
 */
export function createPutPicture({ objects, records, pointers, calendar }: PutPictureOptions) {
  async function look({ owner, digestKey }: ImageRecord, now: number): Promise<Seen> {
    const pointer = await pointers.read(owner, digestKey);
    if (pointer === null || pointer.id === null) return { kind: 'free', pointer };
    const found = await records.read(owner, pointer.id);
    if (found === null) return { kind: 'unrecorded', id: pointer.id };
    const { state, record, etag } = found;
    if (state === 'ended' || isExpired(record, now)) return { kind: 'free', pointer };
    // A record whose picture is lost must not keep the picture out.
    const isWhole = (await objects.head(keys.picture(record))) !== null;
    return isWhole ? { kind: 'known', record, etag } : { kind: 'free', pointer };
  }

  /** The later of two expiries is what both uploaders can rely on. @returns null where the picture has changed meanwhile */
  async function extend(known: ImageRecord, etag: string, expiresAt: string | null): Promise<ImageRecord | null> {
    if (known.expiresAt === null || (expiresAt !== null && expiresAt <= known.expiresAt)) return known;
    const extended = { ...known, expiresAt };
    if (expiresAt !== null) await calendar.add(known.owner, known.id, expiresAt);
    return (await records.replace(extended, etag)) ? extended : null;
  }

  async function uploadPicture(record: ImageRecord, file: string): Promise<void> {
    const { owner, id, expiresAt, bytes, sha256, type } = record;
    if (expiresAt !== null) await calendar.add(owner, id, expiresAt);
    const metadata = encodePublicRemains(record);
    await uploadFile(objects, keys.picture(record), file, { bytes, sha256, type, metadata });
  }

  /** Makes sure that the picture under an id that another server has chosen is this one. */
  async function adoptPicture(record: ImageRecord, file: string): Promise<void> {
    const { owner, id, expiresAt, sha256 } = record;
    const found = await objects.head(keys.picture(record));
    const isSame = found !== null && decodeRemains(found.metadata)?.sha256 === sha256;
    if (!isSame) await uploadPicture(record, file);
    else if (expiresAt !== null) await calendar.add(owner, id, expiresAt);
  }

  async function store(received: ImageRecord, file: string, now: number, first: Seen): Promise<PutResult> {
    let seen = first;
    let [uploaded, claimed] = [false, false];
    const forgetUpload = async () => {
      if (uploaded) await objects.remove([keys.picture(received)]);
    };
    try {
      for (let tries = 0; tries < TRIES; tries += 1) {
        if (seen.kind === 'known') {
          const { record } = seen;
          // What was written, and answered with a fault before it was tried again.
          if (record.id === received.id) return { outcome: 'created', record };
          const extended = await extend(record, seen.etag, received.expiresAt);
          if (extended !== null) {
            await forgetUpload();
            return { outcome: 'known', record: extended };
          }
        } else if (seen.kind === 'unrecorded') {
          const record = { ...received, id: seen.id };
          if (record.id !== received.id) await adoptPicture(record, file);
          if (await records.commit(record)) {
            if (record.id !== received.id) await forgetUpload();
            return { outcome: 'created', record };
          }
        } else {
          if (!uploaded) await uploadPicture(received, file);
          uploaded = true;
          const { owner, digestKey, id } = received;
          if (await pointers.claim(owner, digestKey, id, seen.pointer)) {
            claimed = true;
            seen = { kind: 'unrecorded', id };
            continue;
          }
        }
        seen = await look(received, now);
        // It was taken for what a killed server had left: its id is good for nothing any more.
        if (claimed && seen.kind === 'free') break;
      }
    } catch (error) {
      // A store that does not answer would not answer this either: then the sweep does it.
      if (uploaded && hasAnswered(error)) await takeBack(received).catch(() => undefined);
      throw error;
    }
    if (uploaded) await takeBack(received).catch(() => undefined);
    const detail = 'This picture is being changed elsewhere at the same time. Send it again.';
    throw new AppError('storage_unavailable', detail, { headers: { 'Retry-After': '1' } });
  }

  /** Removes what was not committed, for good: no other server can commit it any more. What is left is swept. */
  async function takeBack(record: ImageRecord): Promise<void> {
    const isEnded =
      (await records.end(record, null)) || (await records.read(record.owner, record.id))?.state === 'ended';
    if (isEnded) await removeRest(record);
  }

  /** Removes what is left of a picture whose record has ended. */
  async function removeRest(record: ImageRecord): Promise<void> {
    await pointers.free(record.owner, record.digestKey, record.id);
    await objects.remove([keys.picture(record)]);
  }

  return { look, store, removeRest };
}
