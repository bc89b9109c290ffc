import type { Dirent } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DRAFT, ID, parseDataPath } from '../../maintenance/data-files.ts';
import type { ImageRecord } from '../../ports/image-store.ts';
import { syncFolder } from './sync-folder.ts';
import { syncIfThere } from './sync-if-there.ts';
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
 * Whatever else lies there is not the server's, and is left alone.
 *
 * Reads names only, unless a picture has no record or the numbers of records and pointers of an owner differ.
 *
 * @param folder the images; no server may be writing there
 */
export async function sweepImages(folder: string): Promise<SweptImages> {
  const all = { swept: 0, kept: 0 };
  for (const owner of await readdir(folder, { withFileTypes: true })) {
    if (!owner.isDirectory() || !ID.test(owner.name)) continue;
    const { swept, kept } = await sweepOwner(folder, owner.name);
    all.swept += swept;
    all.kept += kept;
  }
  return all;
}

async function sweepOwner(folder: string, owner: string): Promise<SweptImages> {
  const home = join(folder, owner);
  const digests = join(home, 'by-digest');
  const entries = await readdir(home, { withFileTypes: true });
  const inDigests = await readdir(digests, { withFileTypes: true }).catch(ifMissing);
  const kindOf = (path: string) => parseDataPath(`images/${owner}/${path}`)?.kind;
  // A record may be a symbolic link that a person has made; what is removed is a file.
  const isRecord = (entry: Dirent) => !entry.isDirectory() && kindOf(entry.name) === 'record';
  const records = new Set(namesOf(entries.filter(isRecord)).map(idOf));
  const pictures = entries.filter((entry) => entry.isFile() && kindOf(entry.name) === 'picture');
  const unrecorded = namesOf(pictures).filter((name) => !records.has(idOf(name)));
  // For a person to look at (imgup admin check): what stands there instead of the pointers' folder says nothing of them.
  if (inDigests === null) return { swept: 0, kept: unrecorded.length };
  const digestKeys = namesOf(inDigests).filter((name) => kindOf(`by-digest/${name}`) === 'pointer');
  const isWhole = unrecorded.length === 0 && digestKeys.length === records.size;
  const pointers: Pointers = isWhole ? new Map() : await readPointers(digests, digestKeys);
  const pointed = new Set(pointers.values());
  // What cannot be read may name any of them.
  const isPointed = (name: string) => pointed.has(null) || pointed.has(idOf(name));
  const kept = unrecorded.filter(isPointed);

  const leftovers = [
    ...draftsAmong(entries).map((name) => join(home, name)),
    ...unrecorded.filter((name) => !isPointed(name)).map((name) => join(home, name)),
    ...draftsAmong(inDigests).map((name) => join(digests, name)),
  ];
  for (const path of leftovers) await rm(path, { force: true });
  const mended = isWhole ? 0 : await mendPointers(home, { records, kept: new Set(kept.map(idOf)), pointers });
  if (leftovers.length + mended > 0) {
    await syncIfThere(digests);
    await syncFolder(home);
  }
  return { swept: leftovers.length + mended, kept: kept.length };
}

async function mendPointers(
  home: string,
  { records, kept, pointers }: { records: Set<string>; kept: Set<string>; pointers: Pointers },
): Promise<number> {
  const digests = join(home, 'by-digest');
  // A record may have been renamed by a server that was killed before that lasted: no pointer may outlive it.
  await syncFolder(home);
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

/** No entries where there is no folder; null where it cannot be read. */
function ifMissing(error: NodeJS.ErrnoException): [] | null {
  return error.code === 'ENOENT' ? [] : null;
}

function namesOf(entries: Dirent[]): string[] {
  return entries.map(({ name }) => name);
}

function draftsAmong(entries: Dirent[]): string[] {
  return namesOf(entries.filter((entry) => entry.isFile() && DRAFT.test(entry.name)));
}

function idOf(name: string): string {
  return name.slice(0, name.indexOf('.'));
}
