import pg from 'pg';
import type { Logger } from '../../logger.ts';
import type { Metrics } from '../../ports/metrics.ts';
import { explainFailure } from './explain-failure.ts';

/** Bounds of what a server asks of its database; times in milliseconds. */
export interface DatabaseLimits {
  /** Connections at once. */
  connections: number;
  /** Until there is a connection: a free one of ours, or a new one. */
  connectTimeout: number;
  /** Until a statement is answered. */
  statementTimeout: number;
}

export const DATABASE_LIMITS: DatabaseLimits = { connections: 10, connectTimeout: 3000, statementTimeout: 4000 };

/** How long a connection that nobody uses is kept. */
const IDLE_TIMEOUT = 60_000;

interface DatabaseOptions {
  config: pg.ClientConfig;
  limits: DatabaseLimits;
  /** Milliseconds since the epoch, in place of the database's clock; for tests. */
  now: (() => number) | undefined;
  logger: Logger;
  metrics: Metrics;
}

type Value = string | number | boolean | null;

/** Sends one statement; resolves to its rows. */
export type Query = <Row>(text: string, values: Value[]) => Promise<Row[]>;

export interface Database {
  /** One statement, which is a transaction by itself. */
  query: Query;
  /** Several statements in one transaction; each sees what was committed before it. */
  transaction<T>(work: (query: Query) => Promise<T>): Promise<T>;
  /** What `CLOCK` is given as its `$1`. */
  time(): number | null;
  /** Refuses new statements, and waits for those under way. */
  close(): Promise<void>;
}

/** The time of a statement, in milliseconds since the epoch, as `clock.at`. Takes `$1`. */
export const CLOCK = `clock AS MATERIALIZED (
  SELECT coalesce($1::bigint, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) AS at
)`;

/** A bounded pool of connections. What fails because the database is away or hangs is AppError `storage_unavailable`. */
export function openDatabase({ config, limits, now, logger, metrics }: DatabaseOptions): Database {
  const types = new pg.TypeOverrides();
  // Times and counts are bigint, which pg gives as text because not every one fits a number; ours do.
  types.setTypeParser(pg.types.builtins.INT8, Number);
  const pool = new pg.Pool({
    ...config,
    application_name: config.application_name ?? 'imgup',
    max: limits.connections,
    connectionTimeoutMillis: limits.connectTimeout,
    // The database's own time-out lets it stop what nobody waits for any more; ours holds where it hangs.
    statement_timeout: limits.statementTimeout,
    query_timeout: limits.statementTimeout + 500,
    idle_in_transaction_session_timeout: limits.statementTimeout,
    idleTimeoutMillis: IDLE_TIMEOUT,
    keepAlive: true,
    // A database that hangs never says goodbye, and must not keep a server that is stopped from ending.
    allowExitOnIdle: true,
    types,
  });
  pool.on('error', (error) => {
    logger.warn({ reason: error.message }, 'a connection to the database was lost');
  });

  const help = 'Connections to the database of the accounts, and requests that wait for one.';
  const gauge = (state: string, read: () => number) =>
    metrics.gauge('imgup_database_connections', help, read, { state });
  gauge('used', () => pool.totalCount - pool.idleCount);
  gauge('idle', () => pool.idleCount);
  gauge('wanted', () => pool.waitingCount);

  let closed: Promise<void> | undefined;

  /** With a name, the database parses and plans a statement once a connection: it halves the time of most. */
  const names = new Map<string, string>();
  const prepare = (text: string, values: Value[]) => {
    const name = names.get(text) ?? `imgup-${names.size}`;
    names.set(text, name);
    // PostgreSQL has no NUL in a text. None is ever stored, so what is looked up with one is not found without it either.
    return {
      name,
      text,
      values: values.map((value) => (typeof value === 'string' ? value.replaceAll('\0', '\uFFFD') : value)),
    };
  };

  return {
    async query<Row>(text: string, values: Value[]) {
      const { rows } = await explained(pool.query<Row & pg.QueryResultRow>(prepare(text, values)));
      return rows;
    },

    async transaction(work) {
      const connection = await explained(pool.connect());
      // One that is lost between two statements says so by an event, and by the next statement.
      connection.on('error', ignore);
      try {
        await explained(connection.query('BEGIN'));
        const result = await work(async <Row>(text: string, values: Value[]) => {
          const { rows } = await explained(connection.query<Row & pg.QueryResultRow>(prepare(text, values)));
          return rows;
        });
        await explained(connection.query('COMMIT'));
        connection.removeListener('error', ignore);
        connection.release();
        return result;
      } catch (error) {
        // Closed, so that the database takes back what was begun; whether that can still be asked for is not known.
        connection.release(true);
        throw error;
      }
    },

    time: () => now?.() ?? null,

    close: () => (closed ??= pool.end()),
  };
}

async function explained<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    throw explainFailure(error);
  }
}

function ignore(): void {
  // Said again by what is asked next.
}
