import type { AccountStore } from '../../ports/account-store.ts';
import type { OpenSlidingLog } from '../../ports/sliding-log.ts';
import { REFUSALS_MAX, type UploadLimiter } from '../../ports/upload-limiter.ts';
import { createPostgresAccountStore } from './account-store.ts';
import { reachDatabase, type ReachOptions } from './reach-database.ts';
import { createPostgresSlidingLog } from './sliding-log.ts';

interface PostgresOptions extends ReachOptions {
  uploadLimit: { uploads: number; windowMs: number };
}

/**
 * Opens accounts and limits in a PostgreSQL database, and brings its schema up to date. Servers that share the database
 * share all of it.
 *
 * @throws StartError `config_invalid`, `accounts_unavailable`, `data_unreadable`; none shows the password
 */
export async function openPostgres(options: PostgresOptions): Promise<{
  store: AccountStore;
  limiter: UploadLimiter;
  openLog: OpenSlidingLog;
}> {
  const { database } = await reachDatabase(options);
  const { uploads: limit, windowMs } = options.uploadLimit;
  const uploads = createPostgresSlidingLog(database, { limit, windowMs, refusalsMax: REFUSALS_MAX });
  return {
    store: createPostgresAccountStore(database),
    limiter: {
      limit,
      windowMs,
      take: (userId) => uploads.take(`upload ${userId}`),
      peek: (userId) => uploads.peek(`upload ${userId}`),
    },
    openLog(name, logOptions) {
      const log = createPostgresSlidingLog(database, { ...logOptions, refusalsMax: 0 });
      return { take: (key) => log.take(`${name} ${key}`), peek: (key) => log.peek(`${name} ${key}`) };
    },
  };
}
