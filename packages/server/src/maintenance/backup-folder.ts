import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '../adapters/filesystem/sync-folder.ts';
import { MANIFEST, type BackupFile, type BackupWriter } from './backup-file.ts';
import { placeIn } from './data-files.ts';
import { MaintenanceError } from './maintenance-error.ts';

/**
 * Writes a backup as a folder that looks like a data folder; modes 0700 and 0600.
 *
 * @param folder must not exist
 */
export async function createBackupFolder(folder: string): Promise<BackupWriter> {
  await mkdir(folder, { mode: 0o700 });
  const folders = new Set([folder]);

  async function makeFolder(path: string): Promise<void> {
    if (folders.has(path)) return;
    await makeFolder(dirname(path));
    await mkdir(path, { mode: 0o700 });
    folders.add(path);
  }

  return {
    async add(path, _bytes, content) {
      const place = placeIn(folder, path);
      await makeFolder(dirname(place));
      const file = await open(place, 'wx', 0o600);
      try {
        await writeFile(file, content);
        await file.sync();
      } finally {
        await file.close();
      }
    },

    async finish() {
      for (const path of [...folders].toReversed()) await syncFolder(path);
    },

    async abandon() {
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * The files of a backup in the order in which a backup is written, so that who reads need not remember what came before.
 *
 * @throws MaintenanceError `backup_invalid` where something is neither file nor folder, or not where it belongs
 */
export async function* readBackupFolder(folder: string): AsyncGenerator<BackupFile> {
  const top = await list('');
  yield* top.filter((path) => path !== MANIFEST && path !== 'images').map(read);
  for (const home of top.includes('images') ? await list('images/') : []) {
    const files = await list(`${home}/`);
    const digests = `${home}/by-digest`;
    yield* files.filter((path) => path !== digests).map(read);
    if (files.includes(digests)) yield* (await list(`${digests}/`)).map(read);
  }
  yield* top.filter((path) => path === MANIFEST).map(read);

  /** @param inside ends in "/", or is empty */
  async function list(inside: string): Promise<string[]> {
    const entries = await readdir(placeIn(folder, inside), { withFileTypes: true });
    for (const entry of entries) {
      const path = `${inside}${entry.name}`;
      const isFolder = inside === 'images/' || path === 'images' || entry.name === 'by-digest';
      if (isFolder ? entry.isDirectory() : entry.isFile()) continue;
      throw new MaintenanceError('backup_invalid', `${placeIn(folder, path)} is no part of a backup.`);
    }
    return entries.map(({ name }) => `${inside}${name}`).toSorted((a, b) => (orderKey(a) < orderKey(b) ? -1 : 1));
  }

  function read(path: string): BackupFile {
    return { path, content: contentOf(placeIn(folder, path)) };
  }
}

/** A generator, so that the file is opened when it is read and not when it is listed. */
async function* contentOf(path: string): AsyncGenerator<Uint8Array> {
  yield* createReadStream(path, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>;
}

/** Puts a record before its picture. */
function orderKey(path: string): string {
  return path.replace(/json$/, '');
}
