import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { lockDataFolder } from '../adapters/filesystem/data-folder.ts';
import { createFolderArchive } from '../adapters/filesystem/picture-archive.ts';
import { writeSecrets, type Secrets } from '../adapters/filesystem/secret-file.ts';
import type { S3Location } from '../adapters/s3/s3-location.ts';
import { AppError } from '../errors.ts';
import { silentLogger, type Logger } from '../logger.ts';
import { isEmpty, type AccountArchive, type AllAccounts } from '../ports/account-archive.ts';
import type { PictureArchive } from '../ports/picture-archive.ts';
import { readAccountFile, writeAccountFile } from './account-file.ts';
import { copyPictures, type CopyOptions, type CopyResult, type Progress } from './copy-pictures.ts';
import { ifThere } from './if-there.ts';
import { MaintenanceError } from './maintenance-error.ts';
import { readMigrationNote, removeMigrationNote, writeMigrationNote } from './migration-note.ts';

export interface MigrateOptions {
  /** The database, as postgres://…; null: the accounts stay where they are. */
  accounts: string | null;
  /** Null: the pictures stay where they are. */
  images: S3Location | null;
  onProgress?: (progress: Progress) => void;
  /** Ends it; run again, it goes on. */
  signal?: AbortSignal;
  logger?: Logger;
}

export interface MigrateResult extends CopyResult {
  users: number;
  sessions: number;
  keys: number;
}

const IN_USE_LOOKS = 6;
const IN_USE_PAUSE = 250;

const NO_PICTURES: CopyResult = { pictures: 0, bytes: 0, present: 0, flaws: [] };

/** Found in a new data folder: the lock that is held here, and what a new file system has at its root. */
const NOTHING = new Set(['server.lock', 'lost+found']);

/**
 * Moves what a stopped server has in its data folder to the engines that several servers share. Pictures go first, one by
 * one, then all accounts in one transaction: until that is done no server finds anything, and it may be run again
 * as often as needed. Afterwards the folder is as it was, with a note that keeps servers from starting on it.
 *
 * Where the result has flaws, nothing but whole pictures has been copied.
 *
 * @throws StartError `data_in_use`, `accounts_unavailable`, `images_unusable`
 * @throws MaintenanceError
 */
export async function migrateFrom(data: string, options: MigrateOptions): Promise<MigrateResult> {
  await requireData(data);
  return withEngines(data, options, async ({ database, bucket, hold, copying }) => {
    await hold();
    const note = await readMigrationNote(data);
    if (note?.state === 'arriving') {
      const message = `imgup admin migrate has not finished in ${data}: run it again with --to, or empty the folder.`;
      throw new MaintenanceError('data_damaged', message);
    }
    const accounts = await readAccountFile(data);
    if (database !== null) {
      if (accounts === null) throw new MaintenanceError('no_data', `${data} holds no accounts: leave out --accounts.`);
      await requireRoomFor(database, accounts);
    }
    const copied =
      bucket === null ? NO_PICTURES : await copyPictures(createFolderArchive(data), bucket, copying(accounts));
    if (copied.flaws.length === 0) {
      if (database !== null && accounts !== null) await fill(database, accounts);
      const before = note ?? { accounts: null, images: null };
      await writeMigrationNote(data, {
        state: 'moved',
        accounts: database?.place ?? before.accounts,
        images: bucket?.place ?? before.images,
      });
    }
    return { ...copied, ...countsOf(database && accounts) };
  });
}

/**
 * The way back: fills an empty data folder, so that a server can be started on it. No server starts until all is there.
 *
 * @param secret what goes into the secret file, and where that is; null: nothing does
 * @throws as `migrateFrom`, and MaintenanceError `data_not_empty`
 */
export async function migrateTo(
  data: string,
  options: MigrateOptions,
  secret: { file: string; secrets: Secrets } | null,
): Promise<MigrateResult> {
  return withEngines(data, options, async ({ database, bucket, hold, copying }) => {
    await refuseInUse(database);
    const accounts = (await database?.read()) ?? null;
    if (database !== null && accounts?.users.length === 0) {
      throw new MaintenanceError(
        'no_data',
        `${database.place} holds no accounts: name the servers' database with --accounts.`,
      );
    }
    await hold();
    await refuseFilled(data);
    await writeMigrationNote(data, { state: 'arriving' });
    await mkdir(incomingOf(data), { recursive: true, mode: 0o700 });
    const copied =
      bucket === null ? NO_PICTURES : await copyPictures(bucket, createFolderArchive(data), copying(accounts));
    if (copied.flaws.length === 0) {
      if (database !== null && accounts !== null) {
        if (!isDeepStrictEqual(await database.read(), accounts)) throw changed(database);
        if (secret !== null) await writeSecrets(secret.file, secret.secrets, Date.now());
        await writeAccountFile(data, accounts);
      }
      await removeMigrationNote(data);
    }
    return { ...copied, ...countsOf(accounts) };
  });
}

interface Engines {
  database: AccountArchive | null;
  bucket: PictureArchive | null;
  /** Takes the folder for this alone, until the end. */
  hold(): Promise<void>;
  /** @param accounts null: whose the pictures are is not known */
  copying(accounts: AllAccounts | null): CopyOptions;
}

/** Whatever is wrong with the engines is said before a folder is made. */
async function withEngines<T>(
  data: string,
  options: MigrateOptions,
  work: (engines: Engines) => Promise<T>,
): Promise<T> {
  const { accounts, images, onProgress = () => undefined, signal, logger = silentLogger } = options;
  const closing: (() => Promise<void> | void)[] = [];
  try {
    let database: AccountArchive | null = null;
    let bucket: PictureArchive | null = null;
    if (accounts !== null) {
      const { openPostgresArchive } = await import('../adapters/postgres/account-archive.ts');
      database = await openPostgresArchive(accounts, logger);
      closing.push(database.close);
    }
    if (images !== null) {
      const { openS3Archive } = await import('../adapters/s3/picture-archive.ts');
      bucket = await openS3Archive(images, incomingOf(data));
      closing.push(bucket.close);
    }
    const hold = async () => {
      const lock = await lockDataFolder(data);
      closing.push(() => lock.release());
    };
    return await work({ database, bucket, hold, copying: (known) => ({ ...ownersOf(known), onProgress, signal }) });
  } catch (error) {
    throw explain(error);
  } finally {
    for (const close of closing.toReversed()) await close();
  }
}

/** A removed user's pictures stay behind, and so are removed; those that were to be kept go. */
function ownersOf(accounts: AllAccounts | null): Pick<CopyOptions, 'owners' | 'withoutOwners'> {
  if (accounts === null) return { owners: null, withoutOwners: new Set() };
  const removed = (what: string) =>
    accounts.removals.filter(({ pictures }) => pictures === what).map(({ userId }) => userId);
  return {
    owners: new Set([...accounts.users.map(({ id }) => id), ...removed('keep')]),
    withoutOwners: new Set(removed('remove')),
  };
}

function countsOf(accounts: AllAccounts | null): Pick<MigrateResult, 'users' | 'sessions' | 'keys'> {
  const { users = [], sessions = [], keys = [] } = accounts ?? {};
  return { users: users.length, sessions: sessions.length, keys: keys.length };
}

/** Said before anything is copied. */
async function requireRoomFor(database: AccountArchive, accounts: AllAccounts): Promise<void> {
  await refuseInUse(database);
  const there = await database.read();
  // What an earlier run has stored, and no server has changed since.
  if (!isEmpty(there) && !isDeepStrictEqual(there, accounts)) throw holdsOthers(database);
}

async function fill(database: AccountArchive, accounts: AllAccounts): Promise<void> {
  await database.fill(accounts);
  if (!isDeepStrictEqual(await database.read(), accounts)) throw holdsOthers(database);
}

async function refuseInUse(database: AccountArchive | null): Promise<void> {
  if (database === null) return;
  // The database may take a moment to see that whoever was killed or stopped just now is gone.
  for (let looks = 0; looks < IN_USE_LOOKS; looks += 1) {
    if (!(await database.isInUse())) return;
    await delay(IN_USE_PAUSE);
  }
  const message = `imgup is connected to ${database.place}: stop every server that uses it, and run this again.`;
  throw new MaintenanceError('servers_running', message);
}

function holdsOthers({ place }: AccountArchive): MaintenanceError {
  const message = `${place} holds other accounts than those that are to come: choose an empty database, or drop what is in this one.`;
  return new MaintenanceError('target_not_empty', message);
}

function changed({ place }: AccountArchive): MaintenanceError {
  const message = `The accounts in ${place} have changed meanwhile: stop every server that uses them, and run this again.`;
  return new MaintenanceError('source_changed', message);
}

async function requireData(data: string): Promise<void> {
  const names = (await ifThere(readdir(data))) ?? [];
  if (names.includes('db.json') || names.includes('images')) return;
  throw new MaintenanceError('no_data', `${data} holds no data of imgup: name the server's data folder with --from.`);
}

/** What is there beside the note was put there by an earlier run, which began in an empty folder. */
async function refuseFilled(data: string): Promise<void> {
  if ((await readMigrationNote(data))?.state === 'arriving') return;
  if ((await readdir(data)).every((name) => NOTHING.has(name))) return;
  throw new MaintenanceError('data_not_empty', `${data} is not empty: name another folder with --to.`);
}

/** For what is on its way; a server sweeps it when it starts. */
function incomingOf(data: string): string {
  return join(data, 'incoming');
}

function explain(error: unknown): unknown {
  if (!(error instanceof AppError || isCut(error))) return error;
  const reason = error.cause instanceof Error ? error.cause.message : error.message;
  const message = `The database or the S3 store has failed (${reason}). Nothing is lost: run this again, and it goes on from here.`;
  return new MaintenanceError('engine_unavailable', message, { cause: error });
}

/** A picture that was being read back when the connection broke off, which is no answer of the store's. */
function isCut(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && ['ECONNRESET', 'EPIPE', 'ETIMEDOUT'].includes(String(error.code));
}
