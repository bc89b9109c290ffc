import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { StartError } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { describePlace, readConnectionSettings } from './connection-settings.ts';
import { DATABASE_LIMITS, openDatabase, type Database, type DatabaseLimits } from './database.ts';
import { isAway } from './explain-failure.ts';
import { migrate } from './migrate.ts';

/** How long a start waits for a database that is away: both may be started at once. In milliseconds. */
const START_PATIENCE = 20_000;
const START_PAUSE = 500;

export interface ReachOptions {
  url: string;
  logger: Logger;
  metrics: Metrics;
  /** Milliseconds since the epoch, in place of the database's clock; for tests. */
  now: (() => number) | undefined;
  limits?: Partial<DatabaseLimits>;
  startPatience?: number;
}

/**
 * Waits for a PostgreSQL database, and brings its schema up to date.
 *
 * @throws StartError `config_invalid`, `accounts_unavailable`, `data_unreadable`; none shows the password
 */
export async function reachDatabase(options: ReachOptions): Promise<{ database: Database; place: string }> {
  const { url, logger, metrics, now, startPatience = START_PATIENCE } = options;
  const config = readConnectionSettings(url);
  const limits = { ...DATABASE_LIMITS, ...options.limits };
  await reach(config, { patience: startPatience, timeout: limits.connectTimeout, logger });
  await migrate(config).catch((error: unknown) => {
    throw error instanceof StartError ? error : unavailable(config, error);
  });
  return { database: openDatabase({ config, limits, now, logger, metrics }), place: describePlace(config) };
}

/** Waits until the database answers, or says for good that it will not. */
async function reach(
  config: pg.ClientConfig,
  { patience, timeout, logger }: { patience: number; timeout: number; logger: Logger },
): Promise<void> {
  const deadline = performance.now() + patience;
  for (let tries = 1; ; tries += 1) {
    const client = new pg.Client({ ...config, connectionTimeoutMillis: timeout });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      // Not waited for: a database that hangs never says goodbye.
      client.end().catch(() => undefined);
      if (!isAway(error) || performance.now() >= deadline) throw unavailable(config, error);
      if (tries === 1) logger.warn({ database: describePlace(config) }, 'waiting for the database of the accounts');
      await delay(START_PAUSE);
    }
  }
}

function unavailable(config: pg.ClientConfig, error: unknown): StartError {
  // Where a name has several addresses and none answers, node says so by the code alone.
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const reason = (error instanceof Error && error.message) || String(code ?? error);
  const message = `The accounts' database (${describePlace(config)}) cannot be used: ${reason}. Look at --accounts (IMGUP_ACCOUNTS) and at the database, and start again.`;
  return new StartError('accounts_unavailable', message, { cause: error });
}
