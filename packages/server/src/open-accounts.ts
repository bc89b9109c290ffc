import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openLowdbAccountStore } from './adapters/lowdb/account-store.ts';
import { createMemorySlidingLog } from './adapters/memory/sliding-log.ts';
import { createMemoryUploadLimiter } from './adapters/memory/upload-limiter.ts';
import type { ServerConfig } from './config.ts';
import { StartError } from './errors.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './ports/metrics.ts';
import type { AccountStore } from './ports/account-store.ts';
import type { OpenSlidingLog } from './ports/sliding-log.ts';
import type { UploadLimiter } from './ports/upload-limiter.ts';

/** What knows who may do what, and how often. It is of one engine, so that a limit counts where a session does. */
export interface AccountParts {
  store: AccountStore;
  limiter: UploadLimiter;
  openLog: OpenSlidingLog;
  /** Says in the log where there are nearly as many users as the engine is good for. */
  warnOfManyUsers(): Promise<void>;
}

/**
 * Users from which on db.json is warned of, and beyond which it is too slow: every change writes all of it, and nothing else happens
 * while it is made into text. docs/BENCHMARKS.md has the curve.
 */
const MANY_USERS = 10_000;
const TOO_MANY_USERS = 30_000;

interface OpenAccountsOptions {
  config: Pick<ServerConfig, 'accounts' | 'data' | 'uploadLimit'>;
  logger: Logger;
  metrics: Metrics;
  /** Milliseconds since the epoch, in place of the engine's own clock; for tests. */
  now: (() => number) | undefined;
}

/**
 * Opens accounts and limits: in the data folder and in memory, or in the database that `--accounts` names.
 *
 * @throws StartError where that cannot be used
 */
export async function openAccounts({ config, logger, metrics, now }: OpenAccountsOptions): Promise<AccountParts> {
  const { accounts: url, data, uploadLimit } = config;
  if (url === null) return openEmbedded({ data, uploadLimit, logger, now });
  // The embedded server does without the database's libraries.
  const { openPostgres } = await import('./adapters/postgres/open-postgres.ts');
  const parts = await openPostgres({ url, uploadLimit, logger, metrics, now });
  try {
    await refuseLeftAccounts(data, parts.store);
  } catch (error) {
    await parts.store.close();
    throw error;
  }
  // A database has room for more users than there are people.
  return { ...parts, warnOfManyUsers: () => Promise.resolve() };
}

async function openEmbedded({
  data,
  uploadLimit: { uploads: limit, windowMs },
  logger,
  now,
}: Pick<ServerConfig, 'data' | 'uploadLimit'> & Pick<OpenAccountsOptions, 'logger' | 'now'>): Promise<AccountParts> {
  await requireAccounts(data);
  // Limits go by a clock that nobody sets: a step of the system's would admit too many.
  const steady = now ?? (() => performance.now());
  const store = await openLowdbAccountStore(join(data, 'db.json'), now);
  return {
    store,
    limiter: createMemoryUploadLimiter({ limit, windowMs, now: steady }),
    openLog: (_name, options) => createMemorySlidingLog({ ...options, now: steady }),
    async warnOfManyUsers() {
      const users = (await store.listUsers()).length;
      if (users < MANY_USERS) return;
      const advice = `every change writes all of db.json, which is too slow from ${TOO_MANY_USERS} users on: move them to PostgreSQL (imgup admin migrate, --accounts)`;
      logger.warn({ users }, advice);
    },
  };
}

/** A picture's owner has registered before: without accounts whoever registers next would be the administrator. */
async function requireAccounts(data: string): Promise<void> {
  const owners = await readdir(join(data, 'images')).catch(() => []);
  const files = await readdir(data);
  if (owners.length === 0 || files.includes('db.json') || files.includes('db.json.previous')) return;
  const message = `${data} holds pictures but no db.json: start with --accounts if the accounts are in a database; otherwise restore a backup (imgup admin restore) into another folder, or move the folder "images" away, and start again.`;
  throw new StartError('data_unreadable', message);
}

/** As `requireAccounts`, for an empty database beside accounts that nobody has moved into it. */
async function refuseLeftAccounts(data: string, store: AccountStore): Promise<void> {
  if (!(await readdir(data)).includes('db.json') || (await store.listUsers()).length > 0) return;
  const message = `${join(data, 'db.json')} holds accounts, and the database of --accounts holds none: start without --accounts, or choose another folder with --data.`;
  throw new StartError('data_unreadable', message);
}
