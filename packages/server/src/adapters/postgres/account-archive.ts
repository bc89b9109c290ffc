import type { Logger } from '../../logger.ts';
import { isEmpty, type AccountArchive, type AllAccounts } from '../../ports/account-archive.ts';
import { noMetrics } from '../../ports/metrics.ts';
import type { Query } from './database.ts';
import { reachDatabase } from './reach-database.ts';

/** Rows that go to the database in one statement. */
const AT_ONCE = 1000;

/** Milliseconds: a whole table is read at once. */
const STATEMENT_TIMEOUT = 120_000;

/**
 * The accounts of a PostgreSQL database as a whole.
 *
 * @throws StartError as `reachDatabase`
 */
export async function openPostgresArchive(url: string, logger: Logger): Promise<AccountArchive> {
  const limits = { connections: 1, statementTimeout: STATEMENT_TIMEOUT };
  const { database, place } = await reachDatabase({ url, logger, metrics: noMetrics, now: undefined, limits });
  const { query, transaction, close } = database;

  return {
    place,

    async isInUse() {
      // The pool here has one connection, which is the one that asks.
      const others = await query(
        `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND application_name = current_setting('application_name')`,
        [],
      );
      return others.length > 0;
    },

    read: () =>
      transaction(async (inTransaction) => {
        await inTransaction('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY', []);
        return readAll(inTransaction);
      }),

    fill: (accounts) =>
      transaction(async (inTransaction) => {
        // Whoever registers meanwhile waits here, and is not the first any more.
        await inTransaction('LOCK TABLE first_user, users IN SHARE ROW EXCLUSIVE MODE', []);
        const there = await inTransaction('SELECT FROM first_user', []);
        if (there.length > 0 || !isEmpty(await readAll(inTransaction))) return false;
        if (accounts.users.length > 0) await inTransaction('INSERT INTO first_user VALUES (true)', []);
        for (const [part, insert] of Object.entries(INSERT) as [keyof AllAccounts, string][]) {
          const rows = accounts[part];
          for (let at = 0; at < rows.length; at += AT_ONCE) {
            await inTransaction(insert, [JSON.stringify(rows.slice(at, at + AT_ONCE))]);
          }
        }
        return true;
      }),

    close,
  };
}

async function readAll(query: Query): Promise<AllAccounts> {
  return {
    users: await query(
      `SELECT id, username, role, password_hash AS "passwordHash", created_at AS "createdAt" FROM users
      ORDER BY id COLLATE "C"`,
      [],
    ),
    sessions: await query(
      `SELECT id, user_id AS "userId", counter, seen_at AS "seenAt", rotated_at AS "rotatedAt",
        created_at AS "createdAt", last_used_at AS "lastUsedAt", device FROM sessions ORDER BY id COLLATE "C"`,
      [],
    ),
    keys: await query(
      `SELECT id, user_id AS "userId", name, hash, created_at AS "createdAt", last_used_at AS "lastUsedAt"
      FROM upload_keys ORDER BY id COLLATE "C"`,
      [],
    ),
    revoked: await query('SELECT id, until FROM revoked_tokens ORDER BY id COLLATE "C"', []),
    removals: await query('SELECT user_id AS "userId", pictures FROM removals ORDER BY user_id COLLATE "C"', []),
  };
}

/** Each takes its rows as JSON, in the order in which they refer to each other. */
const INSERT: Record<keyof AllAccounts, string> = {
  users: `INSERT INTO users (id, username, name_key, role, password_hash, created_at)
    SELECT id, username, lower(username), role, "passwordHash", "createdAt" FROM jsonb_to_recordset($1::jsonb)
    AS r (id text, username text, role text, "passwordHash" text, "createdAt" bigint)`,
  sessions: `INSERT INTO sessions (id, user_id, counter, seen_at, rotated_at, created_at, last_used_at, device)
    SELECT id, "userId", counter, "seenAt", "rotatedAt", "createdAt", "lastUsedAt", device FROM jsonb_to_recordset($1::jsonb)
    AS r (id text, "userId" text, counter bigint, "seenAt" bigint, "rotatedAt" bigint, "createdAt" bigint,
      "lastUsedAt" bigint, device text)`,
  keys: `INSERT INTO upload_keys (id, user_id, name, hash, created_at, last_used_at)
    SELECT id, "userId", name, hash, "createdAt", "lastUsedAt" FROM jsonb_to_recordset($1::jsonb)
    AS r (id text, "userId" text, name text, hash text, "createdAt" bigint, "lastUsedAt" bigint)`,
  revoked: `INSERT INTO revoked_tokens (id, until)
    SELECT id, until FROM jsonb_to_recordset($1::jsonb) AS r (id text, until bigint)`,
  // No server was running, so nothing of theirs can still be under way: settled since long ago.
  removals: `INSERT INTO removals (user_id, pictures, removed_at)
    SELECT "userId", pictures, 0 FROM jsonb_to_recordset($1::jsonb) AS r ("userId" text, pictures text)`,
};
