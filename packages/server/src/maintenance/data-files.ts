import { join } from 'node:path';
import { IMAGE_TYPES } from '@imgup/shared';

/** What a file of a data folder is, by its path in the folder. */
export type DataFile =
  | { kind: 'accounts' | 'secret' }
  | { kind: 'picture'; owner: string; id: string; extension: string }
  | { kind: 'record'; owner: string; id: string }
  | { kind: 'pointer'; owner: string; digestKey: string };

const EXTENSIONS = Object.values(IMAGE_TYPES).join('|');
const PICTURE = new RegExp(`^([0-9a-z]{1,40})\\.(${EXTENSIONS})$`);
const RECORD = /^([0-9a-z]{1,40})\.json$/;
const DIGEST_KEY = /^[0-9a-f]{64}(\.kept)?$/;

/** Ids of users and pictures, as the server makes them. */
export const ID = /^[0-9a-z]{1,40}$/;

/** A file that is being written, beside the one whose place it takes. */
export const DRAFT = /^\.[0-9a-f-]{36}$/;

/** @param path with "/" on every system; null for whatever a server would not have put there */
export function parseDataPath(path: string): DataFile | null {
  if (path === 'db.json') return { kind: 'accounts' };
  if (path === 'secret') return { kind: 'secret' };
  const [images, owner, ...rest] = path.split('/');
  if (images !== 'images' || owner === undefined || !ID.test(owner)) return null;
  const [name = '', digest] = rest;
  if (rest.length === 1) return parseOwnerFile(owner, name);
  const isPointer = rest.length === 2 && name === 'by-digest' && DIGEST_KEY.test(digest ?? '');
  return isPointer && digest !== undefined ? { kind: 'pointer', owner, digestKey: digest } : null;
}

/** The place of a path of a data folder in a folder on this system. */
export function placeIn(folder: string, path: string): string {
  return join(folder, ...path.split('/'));
}

/** Whether this is what a secret file holds: a secret a line, the current one first, the others with a time. */
export function isSecretText(text: string): boolean {
  return /^[0-9a-f]{64}(\n[0-9a-f]{64} [^ \n]+)*$/i.test(text.trim());
}

function parseOwnerFile(owner: string, name: string): DataFile | null {
  const [, recordId] = RECORD.exec(name) ?? [];
  if (recordId !== undefined) return { kind: 'record', owner, id: recordId };
  const [, id, extension] = PICTURE.exec(name) ?? [];
  return id !== undefined && extension !== undefined ? { kind: 'picture', owner, id, extension } : null;
}
