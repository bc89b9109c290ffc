import { open, readdir, readFile, realpath, rename, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { syncFolder } from '../adapters/filesystem/sync-folder.ts';
import type { ImageRecord } from '../ports/image-store.ts';
import { MANIFEST, type BackupWriter } from './backup-file.ts';
import { createBackupFolder, readBackupFolder } from './backup-folder.ts';
import { createBackupTar, readBackupTar } from './backup-tar.ts';
import { parseDataPath } from './data-files.ts';
import { ifThere } from './if-there.ts';
import { BACKUP_FORMAT, createInventory, type Manifest } from './inventory.ts';
import { MaintenanceError } from './maintenance-error.ts';
import { ownersOf, parseAccounts } from './parse-accounts.ts';
import { parseRecord } from './parse-record.ts';
import { verifyBackup, type BackupSummary } from './verify-backup.ts';

export interface BackupOptions {
  now?: () => number;
  /** Ends the backup, which leaves nothing then. */
  signal?: AbortSignal;
}

/**
 * Copies accounts, the secret and all pictures, while a server may be running, and reads the copy back before it gets
 * its name: what is there under that name is whole. All that was stored when it began is in it; what is uploaded or
 * deleted meanwhile is in it whole, or not at all.
 *
 * It holds all that the server's data folder does, so it is to be kept as safe as that.
 *
 * @param target a folder, or a file whose name ends in `.tar`; must not exist
 * @throws MaintenanceError `no_data`, `data_damaged`, `data_newer`, `target_exists`, `target_unusable`
 */
export async function backupData(data: string, target: string, options: BackupOptions = {}): Promise<BackupSummary> {
  const { now = Date.now, signal } = options;
  await checkTarget(data, target);
  const partial = `${target}.partial`;
  const isTar = target.endsWith('.tar');
  const madeAt = new Date(now());
  const writer = await create(partial, () => (isTar ? createBackupTar(partial, madeAt) : createBackupFolder(partial)));
  try {
    await copyTo(writer, data, { madeAt, signal });
    await writer.finish();
    const written = isTar ? readBackupTar(partial) : readBackupFolder(partial);
    const summary = await verifyBackup(partial, untilAborted(written, signal));
    await refuseExisting(target);
    await rename(partial, target);
    await syncFolder(dirname(resolve(target)));
    return summary;
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

async function checkTarget(data: string, target: string): Promise<void> {
  if (/\.(t?gz|tbz2?|bz2|txz|xz|zst|zip|7z)$/i.test(target)) {
    const message = `A backup is a folder, or a file that ends in .tar: ${basename(target)} is neither. Pictures are compressed already.`;
    throw new MaintenanceError('target_unusable', message);
  }
  await refuseExisting(target);
  const parent = await ifThere(realpath(dirname(resolve(target))));
  if (parent === null) {
    throw new MaintenanceError('target_unusable', `The folder ${dirname(target)} does not exist: make it first.`);
  }
  const home = await ifThere(realpath(data));
  const inside = home === null ? '..' : relative(home, parent);
  if (!inside.startsWith('..') && !isAbsolute(inside)) {
    const message = `${target} lies in the data folder, and would be lost with it: choose a place elsewhere.`;
    throw new MaintenanceError('target_unusable', message);
  }
}

async function refuseExisting(target: string): Promise<void> {
  if ((await ifThere(stat(target))) === null) return;
  throw new MaintenanceError('target_exists', `${target} exists already: choose another name.`);
}

async function create(partial: string, open: () => Promise<BackupWriter>): Promise<BackupWriter> {
  try {
    return await open();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const message = `${partial} exists: another backup is writing it, or one was interrupted. Remove it if no backup is running.`;
    throw new MaintenanceError('target_exists', message, { cause: error });
  }
}

async function copyTo(
  writer: BackupWriter,
  data: string,
  { madeAt, signal }: { madeAt: Date; signal: AbortSignal | undefined },
): Promise<void> {
  const inventory = createInventory();

  async function addText(path: string, text: string): Promise<void> {
    const bytes = Buffer.from(text);
    const content = path === MANIFEST ? one(bytes) : inventory.pass({ path, content: one(bytes) });
    await writer.add(path, bytes.length, content);
  }

  // Read once: it is replaced as a whole, so this is one state of it. The secret comes after it, because a rotated one
  // still holds those that the sessions in db.json were made with.
  const accountsText = await readAccounts(data);
  const accounts = parseAccounts(accountsText);
  if (accounts === null) throw damaged('db.json cannot be read');
  const secret = await ifThere(readFile(join(data, 'secret'), 'utf8'));
  await addText('db.json', accountsText);
  if (secret !== null) await addText('secret', secret);

  for (const owner of [...ownersOf(accounts)].toSorted()) {
    const home = `images/${owner}`;
    const pointers = new Map<string, string>();
    for (const id of await listRecords(data, owner)) {
      signal?.throwIfAborted();
      const found = await openPicture(data, owner, id);
      if (found === null) continue;
      const { record, text, file } = found;
      if (record.expiresAt !== null && Date.parse(record.expiresAt) <= madeAt.getTime()) {
        await file.close();
        continue;
      }
      const path = `${home}/${id}.${record.extension}`;
      try {
        await addText(`${home}/${id}.json`, text);
        const content = inventory.pass({ path, content: untilAborted(contentOf(file), signal) }, (sha256) => {
          if (sha256 !== record.sha256) throw damaged(`${path} is not the picture that its record tells of`);
        });
        await writer.add(path, record.bytes, content);
      } finally {
        await file.close();
      }
      pointers.set(record.digestKey, id);
    }
    const digests = [...pointers].toSorted(([a], [b]) => (a < b ? -1 : 1));
    for (const [digestKey, id] of digests) await addText(`${home}/by-digest/${digestKey}`, id);
  }

  const manifest: Manifest = {
    format: BACKUP_FORMAT,
    created_at: madeAt.toISOString(),
    secret: secret !== null,
    ...inventory.close(),
  };
  await addText(MANIFEST, JSON.stringify(manifest));
}

async function readAccounts(data: string): Promise<string> {
  const text = await ifThere(readFile(join(data, 'db.json'), 'utf8'));
  if (text !== null) return text;
  const message = `${data} holds no accounts of imgup: name the server's data folder with --data. Accounts that are in a database (--accounts) are saved with pg_dump.`;
  throw new MaintenanceError('no_data', message);
}

async function listRecords(data: string, owner: string): Promise<string[]> {
  const names = (await ifThere(readdir(join(data, 'images', owner)))) ?? [];
  const files = names.map((name) => parseDataPath(`images/${owner}/${name}`));
  return files.flatMap((file) => (file?.kind === 'record' ? [file.id] : [])).toSorted();
}

/** Null where it has been deleted since it was listed. Once the picture is open, deleting it takes nothing away here. */
async function openPicture(
  data: string,
  owner: string,
  id: string,
): Promise<{ record: ImageRecord; text: string; file: FileHandle } | null> {
  const path = join(data, 'images', owner, `${id}.json`);
  const text = await ifThere(readFile(path, 'utf8'));
  if (text === null) return null;
  const record = parseRecord(text, { owner, id });
  if (record === null) throw damaged(`images/${owner}/${id}.json is damaged`);
  const picture = `images/${owner}/${id}.${record.extension}`;
  const file = await ifThere(open(join(data, picture), 'r'));
  if (file === null) {
    // The record is deleted before its picture.
    if ((await ifThere(stat(path))) === null) return null;
    throw damaged(`${picture} is missing`);
  }
  const { size } = await file.stat();
  if (size === record.bytes) return { record, text, file };
  await file.close();
  throw damaged(`${picture} is not the picture that its record tells of`);
}

function damaged(what: string): MaintenanceError {
  const message = `Nothing was backed up, because ${what}: see \`imgup admin check\`, and mend it with --repair.`;
  return new MaintenanceError('data_damaged', message);
}

async function* contentOf(file: FileHandle): AsyncGenerator<Uint8Array> {
  yield* file.createReadStream({ autoClose: false, start: 0, highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>;
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function* untilAborted<T>(values: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncGenerator<T> {
  for await (const value of values) {
    signal?.throwIfAborted();
    yield value;
  }
}
