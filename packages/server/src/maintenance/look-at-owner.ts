import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { ImageRecord } from '../ports/image-store.ts';
import { DRAFT, parseDataPath, placeIn } from './data-files.ts';
import type { Flaw, FlawKind } from './flaw.ts';
import { hashFile } from './hash-file.ts';
import { ifThere } from './if-there.ts';
import type { Mender } from './mender.ts';
import { parseRecord } from './parse-record.ts';
import { readText } from './read-text.ts';

export interface OwnerLook {
  /** Whole ones. */
  pictures: number;
  bytes: number;
  /** In the order in which they are to be mended. */
  flaws: Flaw[];
}

/** Reads everything that one owner has, every picture to its last byte. Changes nothing. */
export async function lookAtOwner(data: string, owner: string, mender: Mender): Promise<OwnerLook> {
  const home = `images/${owner}`;
  const flaws: Flaw[] = [];
  const add = (kind: FlawKind, path: string, mend: Flaw['mend']) => void flaws.push({ kind, path, mend });

  const { ids, pictures, pointers } = await sortFiles();
  const { whole, broken } = await lookAtRecords();
  lookAtPointers();
  let bytes = 0;
  for (const record of whole.values()) bytes += record.bytes;
  return { pictures: whole.size, bytes, flaws };

  async function sortFiles() {
    const ids: string[] = [];
    const pictures = new Map<string, string[]>();
    const pointers = new Map<string, string>();
    for (const { path, entry } of [...(await list(home)), ...(await list(`${home}/by-digest`))]) {
      const file = entry.isFile() ? parseDataPath(path) : null;
      if (entry.name === 'by-digest' && entry.isDirectory()) continue;
      if (entry.isFile() && DRAFT.test(entry.name)) add('draft', path, () => mender.remove(path));
      else if (file?.kind === 'record') ids.push(file.id);
      else if (file?.kind === 'picture') pictures.set(file.id, [...(pictures.get(file.id) ?? []), path]);
      else if (file?.kind === 'pointer') {
        const id = await readText(placeIn(data, path));
        if (id !== null) pointers.set(file.digestKey, id);
      } else add('stray', path, () => mender.take([path]));
    }
    return { ids: ids.toSorted(), pictures, pointers };
  }

  async function lookAtRecords() {
    const whole = new Map<string, ImageRecord>();
    const broken = new Set<string>();
    for (const id of ids) {
      const path = `${home}/${id}.json`;
      const text = await readText(placeIn(data, path));
      // Deleted since it was listed.
      if (text === null) continue;
      const files = pictures.get(id) ?? [];
      pictures.delete(id);
      const record = parseRecord(text, { owner, id });
      if (record === null) {
        broken.add(id);
        const known = { owner, id, pictures: files, pointers };
        add('record_damaged', path, () => mender.rebuild({ ...known, wasCommitted: true }));
        continue;
      }
      const picture = `${home}/${id}.${record.extension}`;
      for (const other of files.filter((file) => file !== picture)) {
        add('picture_without_record', other, () => mender.take([other]));
      }
      const found = await readPicture(picture);
      if (found !== null && found.bytes === record.bytes && found.sha256 === record.sha256) {
        whole.set(id, record);
        continue;
      }
      broken.add(id);
      const parts = [picture, path, ...pointersTo(id)];
      if (found === null) add('record_without_picture', path, () => mender.take(parts));
      else add('picture_damaged', picture, () => mender.take(parts));
    }
    for (const [id, files] of pictures) {
      broken.add(id);
      const known = { owner, id, pictures: files, pointers };
      // A pointer comes after the record, so where there is one the upload had been committed.
      const wasCommitted = pointersTo(id).length > 0;
      for (const file of files) add('picture_without_record', file, () => mender.rebuild({ ...known, wasCommitted }));
    }
    return { whole, broken };
  }

  function lookAtPointers(): void {
    const pointed = new Set<string>();
    for (const [digestKey, id] of pointers) {
      const path = `${home}/by-digest/${digestKey}`;
      const record = whole.get(id);
      if (record?.digestKey === digestKey) pointed.add(digestKey);
      // Goes or stays with what is done about that picture.
      else if (!broken.has(id)) {
        add(record === undefined ? 'pointer_dangling' : 'pointer_wrong', path, () => mender.take([path]));
      }
    }
    // The oldest first: of two with the same bytes, its link has been out for longer.
    for (const { id, digestKey, extension, expiresAt } of [...whole.values()].toReversed()) {
      const path = `${home}/${id}.json`;
      if (pointers.get(digestKey) === id) continue;
      // The pointer of one that has expired may be that of the picture uploaded since.
      if (expiresAt !== null && Date.parse(expiresAt) <= Date.now()) continue;
      if (pointed.has(digestKey)) {
        add('twin', path, () => mender.take([`${home}/${id}.${extension}`, path]));
      } else {
        pointed.add(digestKey);
        add('record_without_pointer', path, () => mender.point(owner, digestKey, id));
      }
    }
  }

  function pointersTo(id: string): string[] {
    return [...pointers].filter(([, target]) => target === id).map(([digestKey]) => `${home}/by-digest/${digestKey}`);
  }

  async function list(folder: string): Promise<{ path: string; entry: Dirent }[]> {
    const reading = readdir(placeIn(data, folder), { withFileTypes: true });
    // What stands there instead of a folder is listed with what lies beside it.
    const entries = await ifThere(reading).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTDIR') throw error;
      return null;
    });
    return (entries ?? []).map((entry) => ({ path: `${folder}/${entry.name}`, entry }));
  }

  /** Null where there is none. What the disk cannot read has no digest. */
  async function readPicture(path: string): Promise<{ bytes: number; sha256: string } | null> {
    try {
      return await ifThere(hashFile(placeIn(data, path)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EIO') return { bytes: 0, sha256: '' };
      throw error;
    }
  }
}
