import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageRecord } from '../../ports/image-store.ts';
import { syncFolder } from './sync-folder.ts';
import { writeDurably } from './write-durably.ts';

export interface SweptImages {
  /** How many files were removed or added. */
  swept: number;
  /** How many pictures without a record were left, because somebody may have been told of them. */
  kept: number;
}

/** Digest key -> id; null where the pointer cannot be read. */
type Pointers = Map<string, string | null>;

/** Files that are read at the same time. */
const READ_AT_ONCE = 64;

/**
 * Puts right what an interrupted server has left among the pictures: removes drafts and pictures without a record,
 * which nobody was told of, and completes or removes records and digest pointers that lack the other.
 *
 * A picture without a record that a digest pointer names is kept with it. The pointer is written after the record
 * and removed before it, so no interrupted server leaves this: the upload was committed, and its record was lost by damage.
 *
 * Reads names only, unless a picture has no record or the numbers of records and pointers of an owner differ.
 *
 * @param folder the images; no server may be writing there
 */
export async function sweepImages(folder: string): Promise<SweptImages> {
  const all = { swept: 0, kept: 0 };
  for (const owner of await readdir(folder, { withFileTypes: true })) {
    if (!owner.isDirectory()) continue;
    const { swept, kept } = await sweepOwner(join(folder, owner.name));
    all.swept += swept;
    all.kept += kept;
  }
  return all;
}

async function sweepOwner(home: string): Promise<SweptImages> {
  const digests = join(home, 'by-digest');
  const files = (await readdir(home, { withFileTypes: true })).filter((entry) => entry.isFile());
  const names = files.map((entry) => entry.name);
  const inDigests = await readdir(digests).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const records = new Set(names.filter((name) => name.endsWith('.json')).map(idOf));
  const unrecorded = names.filter((name) => !name.startsWith('.') && !records.has(idOf(name)));
  const digestKeys = inDigests.filter((name) => !name.startsWith('.'));
  const isWhole = unrecorded.length === 0 && digestKeys.length === records.size;
  const pointers: Pointers = isWhole ? new Map() : await readPointers(digests, digestKeys);
  const pointed = new Set(pointers.values());
  // What cannot be read may name any of them.
  const isPointed = (name: string) => pointed.has(null) || pointed.has(idOf(name));
  const kept = unrecorded.filter(isPointed);

  const leftovers = [
    ...names.filter((name) => name.startsWith('.')).map((name) => join(home, name)),
    ...unrecorded.filter((name) => !isPointed(name)).map((name) => join(home, name)),
    ...inDigests.filter((name) => name.startsWith('.')).map((name) => join(digests, name)),
  ];
  for (const path of leftovers) await rm(path, { force: true });
  const mended = isWhole ? 0 : await mendPointers(home, { records, kept: new Set(kept.map(idOf)), pointers });
  if (leftovers.length + mended > 0) {
    await syncFolder(digests);
    await syncFolder(home);
  }
  return { swept: leftovers.length + mended, kept: kept.length };
}

async function mendPointers(
  home: string,
  { records, kept, pointers }: { records: Set<string>; kept: Set<string>; pointers: Pointers },
): Promise<number> {
  const digests = join(home, 'by-digest');
  // Their folder may be lost with all of them.
  await mkdir(digests, { recursive: true, mode: 0o700 });
  const isGood = (target: string | null | undefined) =>
    typeof target === 'string' && (records.has(target) || kept.has(target));
  let mended = 0;
  for (const id of records) {
    const digestKey = await readDigestKey(join(home, `${id}.json`));
    // A damaged record or pointer is for a person to look at (imgup admin check), and no reason not to start.
    if (digestKey === null || pointers.get(digestKey) === null || isGood(pointers.get(digestKey))) continue;
    await writeDurably(join(digests, digestKey), id);
    pointers.set(digestKey, id);
    mended += 1;
  }
  for (const [digestKey, target] of pointers) {
    if (target === null || isGood(target)) continue;
    await rm(join(digests, digestKey));
    mended += 1;
  }
  return mended;
}

async function readPointers(digests: string, digestKeys: string[]): Promise<Pointers> {
  const pointers: Pointers = new Map();
  for (let at = 0; at < digestKeys.length; at += READ_AT_ONCE) {
    await Promise.all(
      digestKeys.slice(at, at + READ_AT_ONCE).map(async (digestKey) => {
        pointers.set(digestKey, await readFile(join(digests, digestKey), 'utf8').catch(() => null));
      }),
    );
  }
  return pointers;
}

async function readDigestKey(path: string): Promise<string | null> {
  try {
    return (JSON.parse(await readFile(path, 'utf8')) as ImageRecord).digestKey;
  } catch {
    return null;
  }
}

function idOf(name: string): string {
  return name.slice(0, name.indexOf('.'));
}
