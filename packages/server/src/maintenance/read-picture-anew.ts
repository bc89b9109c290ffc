import { open, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { IMAGE_TYPES } from '@imgup/shared';
import { decodeTime } from 'ulid';
import { readHeader } from '../adapters/sharp/read-header.ts';
import type { ImageRecord } from '../ports/image-store.ts';
import { recognisePicture } from '../services/recognise-picture.ts';
import { hashFile } from './hash-file.ts';

/** The record of a picture, made from its file alone; null where that is no picture of the kind that its name says. */
export async function readPictureAnew(
  path: string,
  { owner, id }: Pick<ImageRecord, 'owner' | 'id'>,
): Promise<ImageRecord | null> {
  const { type } = await recognisePicture(await readHead(path));
  if (type === null || `.${IMAGE_TYPES[type]}` !== extname(path)) return null;
  const header = await readHeader(path).catch(() => null);
  if (header === null) return null;
  const { bytes, sha256 } = await hashFile(path);
  const createdAt = uploadTime(id) ?? (await stat(path)).mtimeMs;
  return {
    id,
    owner,
    name: null,
    type,
    extension: IMAGE_TYPES[type],
    bytes,
    width: header.autoOrient.width,
    height: header.autoOrient.height,
    sha256,
    // As far as can be known: nothing was removed from it.
    sourceSha256: sha256,
    digestKey: sha256,
    removed: [],
    createdAt: new Date(createdAt).toISOString(),
    expiresAt: null,
  };
}

async function readHead(path: string): Promise<Uint8Array> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4100), 0, 4100, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** The time in a picture's id, which is a ULID of the time counted down. */
function uploadTime(id: string): number | null {
  try {
    return 2 ** 48 - 1 - decodeTime(id.toUpperCase());
  } catch {
    return null;
  }
}
