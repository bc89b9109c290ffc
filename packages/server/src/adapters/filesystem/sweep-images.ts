import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageRecord } from '../../ports/image-store.ts';
import { syncFolder } from './sync-folder.ts';

/**
 * Puts right what an interrupted server has left among the pictures: removes drafts and pictures without a record,
 * which nobody was told of, and completes or removes records and digest pointers that lack the other.
 *
 * Reads names only, unless the numbers of records and pointers of an owner differ.
 *
 * @param folder the images; no server may be writing there
 * @returns how many files were removed or added
 */
export async function sweepImages(folder: string): Promise<number> {
  let swept = 0;
  for (const owner of await readdir(folder, { withFileTypes: true })) {
    if (owner.isDirectory()) swept += await sweepOwner(join(folder, owner.name));
  }
  return swept;
}

async function sweepOwner(home: string): Promise<number> {
  const digests = join(home, 'by-digest');
  const files = (await readdir(home, { withFileTypes: true })).filter((entry) => entry.isFile());
  const names = files.map((entry) => entry.name);
  const pointers = await readdir(digests).catch(() => []);
  const records = new Set(names.filter((name) => name.endsWith('.json')).map(idOf));
  const leftovers = [
    ...names.filter((name) => name.startsWith('.') || !records.has(idOf(name))).map((name) => join(home, name)),
    ...pointers.filter((name) => name.startsWith('.')).map((name) => join(digests, name)),
  ];
  for (const path of leftovers) await rm(path, { force: true });
  const whole = pointers.filter((name) => !name.startsWith('.'));
  const mended = whole.length === records.size ? 0 : await mendPointers(home, records, whole);
  if (leftovers.length + mended > 0) {
    await syncFolder(digests);
    await syncFolder(home);
  }
  return leftovers.length + mended;
}

async function mendPointers(home: string, ids: Set<string>, pointers: string[]): Promise<number> {
  const digests = join(home, 'by-digest');
  let mended = 0;
  for (const id of ids) {
    const digestKey = await readDigestKey(join(home, `${id}.json`));
    // A damaged record is for a person to look at (imgup admin check), and no reason not to start.
    if (digestKey === null) continue;
    const pointer = join(digests, digestKey);
    const target = await readFile(pointer, 'utf8').catch(() => null);
    if (target !== null && ids.has(target)) continue;
    await writeFile(`${digests}/.${id}`, id, { flush: true, mode: 0o600 });
    await rename(`${digests}/.${id}`, pointer);
    mended += 1;
  }
  for (const digest of pointers) {
    if (ids.has(await readFile(join(digests, digest), 'utf8'))) continue;
    await rm(join(digests, digest));
    mended += 1;
  }
  return mended;
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
