import { join } from 'node:path';
import { openFilesystemImageStore } from '../src/adapters/filesystem/image-store.ts';
import type { ImageRecord } from '../src/ports/image-store.ts';
import { receive } from './contracts/image-store.ts';
import { temporaryFolder } from './test-app.ts';

/** When the pictures of these tests expire, those that do. */
export const DUE = Date.parse('2026-01-01T12:00:00.000Z');

/** A picture of ada's. @param content one letter, that its digest is made of */
export function recordOf(id: string, content: string, expiresAt: number | null = null): ImageRecord {
  const digest = content.repeat(64);
  return {
    id,
    owner: 'ada',
    name: null,
    type: 'image/png',
    extension: 'png',
    bytes: 7,
    width: 1,
    height: 1,
    sha256: digest,
    sourceSha256: digest,
    digestKey: digest,
    removed: [],
    createdAt: '2026-01-01T00:00:00.000Z',
    expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
  };
}

/** The store of a folder, without the server around it; `put` receives a picture and stores it. */
export async function openStore(data?: string) {
  const folder = data ?? (await temporaryFolder());
  const store = await openFilesystemImageStore(folder);
  const receivePicture = () => receive(folder, 'picture');
  return {
    data: folder,
    store,
    home: join(folder, 'images', 'ada'),
    receive: receivePicture,
    put: async (record: ImageRecord, now = 0) => store.put(record, await receivePicture(), now, { quota: null }),
  };
}

export const ignore = () => Promise.resolve();
