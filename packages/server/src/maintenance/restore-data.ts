import { mkdir, readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { lockDataFolder } from '../adapters/filesystem/data-folder.ts';
import { syncFolder } from '../adapters/filesystem/sync-folder.ts';
import { writeDurably } from '../adapters/filesystem/write-durably.ts';
import { parseBackupPath, type BackupFile } from './backup-file.ts';
import { createBackupFolder, readBackupFolder } from './backup-folder.ts';
import { readBackupTar } from './backup-tar.ts';
import { DRAFT } from './data-files.ts';
import { ifThere } from './if-there.ts';
import { MaintenanceError } from './maintenance-error.ts';
import { noteExpiries } from './note-expiries.ts';
import { verifyBackup, type BackupSummary } from './verify-backup.ts';

/** Stands in for db.json until all is there, so that no server starts on half of it. */
const UNFINISHED = 'imgup admin restore has not finished here. If it is not running any more, start it again.\n';

/** Holds what is being restored. */
export const STAGING = 'restoring';

const LOCK = 'server.lock';

/** Found in a new data folder: the lock that is held here, and what a new file system has at its root. */
const NOTHING = new Set([LOCK, 'lost+found']);

/**
 * Fills a data folder from a backup, which is verified before any of it counts. A restore that fails leaves the folder
 * empty, or removes it where it did not exist; on one that was killed no server starts, and the next restore takes its place.
 *
 * Everything happens inside the folder: its parent may belong to somebody else, and it may be a volume of its own.
 *
 * @param source a folder or a tar that `backupData` has made
 * @param data must not exist or be empty
 * @throws StartError `data_in_use`
 * @throws MaintenanceError `backup_missing`, `backup_invalid`, `data_not_empty`, `data_newer`
 */
export async function restoreData(
  source: string,
  data: string,
  { signal }: { signal?: AbortSignal } = {},
): Promise<BackupSummary> {
  const found = await ifThere(stat(source));
  if (found === null) throw new MaintenanceError('backup_missing', `${source} does not exist.`);
  const missing = await missingFolders(resolve(data));
  const lock = await lockDataFolder(data);
  let isFilled = false;
  try {
    await requireEmpty(data);
    await writeDurably(join(data, 'db.json'), UNFINISHED);
    try {
      const files = found.isDirectory() ? readBackupFolder(source) : readBackupTar(source);
      const summary = await fill(data, source, files, signal);
      isFilled = true;
      return summary;
    } catch (error) {
      await empty(data);
      throw error;
    }
  } finally {
    const made = isFilled ? [] : missing;
    // While it is held, so that nobody loses theirs.
    if (made.length > 0) await rm(join(data, LOCK), { force: true });
    await lock.release();
    // One that somebody else has put something into stays.
    for (const folder of made) await rmdir(folder).catch(() => undefined);
  }
}

/** Those of a folder and the ones above it that do not exist, from the inside out. */
async function missingFolders(path: string): Promise<string[]> {
  if ((await ifThere(stat(path))) !== null) return [];
  return [path, ...(await missingFolders(dirname(path)))];
}

async function requireEmpty(data: string): Promise<void> {
  // Whatever is there then came with an earlier restore, which began in an empty folder.
  if ((await ifThere(readFile(join(data, 'db.json'), 'utf8'))) === UNFINISHED) await empty(data);
  const names = (await readdir(data)).filter((name) => !NOTHING.has(name));
  // The note itself, half-written by a restore that was killed.
  if (names.every((name) => DRAFT.test(name))) {
    for (const name of names) await rm(join(data, name));
    return;
  }
  const message = `${data} is not empty: name another folder with --data, or move away what is in it.`;
  throw new MaintenanceError('data_not_empty', message);
}

async function fill(
  data: string,
  source: string,
  files: AsyncIterable<BackupFile>,
  signal: AbortSignal | undefined,
): Promise<BackupSummary> {
  const staging = join(data, STAGING);
  const writer = await createBackupFolder(staging);
  for await (const file of files) {
    signal?.throwIfAborted();
    if (parseBackupPath(file.path) === null) {
      throw new MaintenanceError('backup_invalid', `${source} holds ${file.path}, which is no part of a backup.`);
    }
    await writer.add(file.path, 0, file.content).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      throw new MaintenanceError('backup_invalid', `${source} holds ${file.path} twice.`, { cause: error });
    });
  }
  await writer.finish();
  const summary = await verifyBackup(source, readBackupFolder(staging));
  await mkdir(join(staging, 'images'), { recursive: true, mode: 0o700 });
  await rename(join(staging, 'images'), join(data, 'images'));
  await noteExpiries(data);
  if (summary.secret) await rename(join(staging, 'secret'), join(data, 'secret'));
  await syncFolder(data);
  // From here on it is restored.
  await rename(join(staging, 'db.json'), join(data, 'db.json'));
  await syncFolder(data);
  await rm(staging, { recursive: true });
  return summary;
}

/** Removes what a restore has made; db.json last, because until then no server starts. */
async function empty(data: string): Promise<void> {
  for (const name of [STAGING, 'images', 'expiring', 'secret', 'incoming', 'db.json']) {
    await rm(join(data, name), { recursive: true, force: true });
  }
  await syncFolder(data);
}
