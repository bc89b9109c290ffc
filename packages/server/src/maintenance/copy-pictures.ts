import type { ImageRecord } from '../ports/image-store.ts';
import type { PictureArchive } from '../ports/picture-archive.ts';
import { eachOf } from './each-of.ts';
import type { FlawKind } from './flaw.ts';
import { hashFile, hashStream } from './hash-file.ts';
import { MaintenanceError } from './maintenance-error.ts';
import { parseRecord } from './parse-record.ts';

/** Of a migration, for whoever waits for it. */
export interface Progress {
  step: 'copying' | 'verifying';
  done: number;
  of: number;
}

export interface CopyOptions {
  /** Whose pictures go; null: everybody's. */
  owners: ReadonlySet<string> | null;
  /** Whose pictures are about to be removed, and stay behind. */
  withoutOwners: ReadonlySet<string>;
  onProgress: (progress: Progress) => void;
  signal: AbortSignal | undefined;
}

/** Something in the source that is not as it should be, and was not copied. */
export interface CopyFlaw {
  kind: FlawKind;
  /** With "/" on every system. */
  path: string;
}

export interface CopyResult {
  pictures: number;
  bytes: number;
  /** How many of the pictures an earlier run had copied. */
  present: number;
  flaws: CopyFlaw[];
}

const OWNERS_AT_ONCE = 4;
const PICTURES_AT_ONCE = 4;

/**
 * Copies pictures from one store into another that has no others, and then reads every one back from there: its bytes
 * have the length and the digest that its record says, and there are as many as in the source. What is there already from
 * an earlier run is not copied again, but read back.
 *
 * What is damaged in the source is named, and not copied.
 *
 * @throws MaintenanceError `target_not_empty`, `source_changed`, `target_damaged`
 */
export async function copyPictures(
  source: PictureArchive,
  target: PictureArchive,
  { owners, withoutOwners, onProgress, signal }: CopyOptions,
): Promise<CopyResult> {
  const flaws: CopyFlaw[] = [];
  const plan = new Map<string, string[]>();
  for (const owner of await source.owners()) {
    if (withoutOwners.has(owner)) continue;
    if (owners?.has(owner) === false) flaws.push({ kind: 'leftover', path: `images/${owner}` });
    else plan.set(owner, await source.ids(owner));
  }
  await refuseOthers(target, plan);

  const of = [...plan.values()].reduce((sum, ids) => sum + ids.length, 0);
  const result: CopyResult = { pictures: 0, bytes: 0, present: 0, flaws };
  let step: Progress['step'] = 'copying';
  let done = 0;
  const count = () => {
    done += 1;
    onProgress({ step, done, of });
  };
  onProgress({ step, done, of });

  await eachOf(plan, OWNERS_AT_ONCE, async ([owner, ids]) => {
    const pictures: { record: ImageRecord; text: string }[] = [];
    await eachOf(ids, PICTURES_AT_ONCE, async (id) => {
      signal?.throwIfAborted();
      const text = await source.readRecord(owner, id);
      if (text === null) throw changed(source);
      const record = parseRecord(text, { owner, id });
      if (record === null) flaws.push({ kind: 'record_damaged', path: `images/${owner}/${id}.json` });
      else pictures.push({ record, text });
    });
    const pointers = newestByDigest(pictures.map(({ record }) => record));
    await eachOf(pictures, PICTURES_AT_ONCE, async ({ record, text }) => {
      signal?.throwIfAborted();
      if ((await target.readRecord(owner, record.id)) === text) result.present += 1;
      else await copy(record, text, pointers.get(record.digestKey) === record.id);
      count();
    });
  });
  if (flaws.length > 0) return result;

  step = 'verifying';
  done = 0;
  await eachOf(plan, OWNERS_AT_ONCE, async ([owner, ids]) => {
    const [now, there] = [await source.ids(owner), await target.ids(owner)];
    if (now.join() !== ids.join()) throw changed(source);
    if (there.join() !== ids.join()) throw damaged(`images/${owner} does not hold what was copied`);
    await eachOf(ids, PICTURES_AT_ONCE, async (id) => {
      signal?.throwIfAborted();
      await verify(owner, id);
      count();
    });
  });
  return result;

  async function copy(record: ImageRecord, text: string, isPointedAt: boolean): Promise<void> {
    const { owner, id, extension } = record;
    await source.withFile(record, async (file) => {
      if (file === null) {
        flaws.push({ kind: 'record_without_picture', path: `images/${owner}/${id}.json` });
        return;
      }
      // Nothing is stored under a digest that it does not have, whatever the target compares.
      if (isOf(record, await hashFile(file).catch(ifUnreadable))) await target.put(record, text, file, isPointedAt);
      else flaws.push({ kind: 'picture_damaged', path: `images/${owner}/${id}.${extension}` });
    });
  }

  async function verify(owner: string, id: string): Promise<void> {
    const text = await source.readRecord(owner, id);
    if (text === null || text !== (await target.readRecord(owner, id))) throw changed(source);
    const record = parseRecord(text, { owner, id });
    if (record === null) throw changed(source);
    const content = await target.open(record);
    const found = content && (await hashStream(content));
    if (found === null || !isOf(record, found)) {
      throw damaged(`images/${owner}/${id}.${record.extension} is not what its record says`);
    }
    result.pictures += 1;
    result.bytes += found.bytes;
  }

  function damaged(what: string): MaintenanceError {
    const message = `${target.place}: ${what}. Remove it with its record there, and run this again.`;
    return new MaintenanceError('target_damaged', message);
  }
}

/** @throws MaintenanceError `target_not_empty` */
async function refuseOthers(target: PictureArchive, plan: ReadonlyMap<string, string[]>): Promise<void> {
  for (const owner of await target.owners()) {
    const ours = new Set(plan.get(owner));
    const other = (await target.ids(owner)).find((id) => !ours.has(id));
    if (other === undefined) continue;
    const message = `${target.place} holds other pictures than those that are to come (images/${owner}/${other}.json): choose an empty place.`;
    throw new MaintenanceError('target_not_empty', message);
  }
}

/** Of pictures with the same bytes, all but the newest have expired. */
function newestByDigest(records: ImageRecord[]): Map<string, string> {
  const newest = new Map<string, string>();
  for (const { id, digestKey } of records) {
    const other = newest.get(digestKey);
    if (other === undefined || id < other) newest.set(digestKey, id);
  }
  return newest;
}

function isOf({ bytes, sha256 }: ImageRecord, found: { bytes: number; sha256: string }): boolean {
  return found.bytes === bytes && found.sha256 === sha256;
}

function changed({ place }: PictureArchive): MaintenanceError {
  const message = `The pictures in ${place} have changed meanwhile: stop every server that uses them, and run this again.`;
  return new MaintenanceError('source_changed', message);
}

/** What the disk cannot read has no digest. */
function ifUnreadable(error: NodeJS.ErrnoException): { bytes: number; sha256: string } {
  if (error.code === 'EIO') return { bytes: 0, sha256: '' };
  throw error;
}
