import { sql, type Migration } from 'kysely';

/**
 * The database's schema, step by step, in the order of the names. A step that has been released is never changed, and a
 * server of the release before it can still work with what it leaves: while servers are replaced one by one, both run.
 *
 * Times are milliseconds since the epoch, as everywhere here.
 */
export const migrations: Record<string, Migration> = {
  '0001-accounts-and-limits': {
    async up(db) {
      await sql`
        CREATE TABLE users (
          id text PRIMARY KEY,
          username text NOT NULL,
          name_key text NOT NULL UNIQUE,
          role text NOT NULL CHECK (role IN ('admin', 'user')),
          password_hash text NOT NULL,
          created_at bigint NOT NULL
        )`.execute(db);
      // Its one row is whoever came first: of two who register at once, one waits for the other here.
      await sql`
        CREATE TABLE first_user (
          here boolean PRIMARY KEY CHECK (here)
        )`.execute(db);
      await sql`
        CREATE TABLE sessions (
          id text PRIMARY KEY,
          user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
          counter bigint NOT NULL,
          seen_at bigint,
          rotated_at bigint NOT NULL,
          created_at bigint NOT NULL,
          last_used_at bigint NOT NULL,
          device text
        )`.execute(db);
      await sql`CREATE INDEX sessions_user_id ON sessions (user_id)`.execute(db);
      await sql`CREATE INDEX sessions_last_used_at ON sessions (last_used_at)`.execute(db);
      await sql`CREATE TABLE revoked_tokens (id text PRIMARY KEY, until bigint NOT NULL)`.execute(db);
      await sql`CREATE INDEX revoked_tokens_until ON revoked_tokens (until)`.execute(db);
      await sql`
        CREATE TABLE upload_keys (
          id text PRIMARY KEY,
          user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
          name text NOT NULL,
          hash text NOT NULL,
          created_at bigint NOT NULL,
          last_used_at bigint
        )`.execute(db);
      await sql`CREATE INDEX upload_keys_user_id ON upload_keys (user_id)`.execute(db);
      await sql`
        CREATE TABLE removals (
          user_id text PRIMARY KEY,
          pictures text NOT NULL CHECK (pictures IN ('remove', 'keep')),
          removed_at bigint NOT NULL
        )`.execute(db);
      // A row a key, written anew at each look that takes: with room in the page that needs no new entry in an index.
      await sql`
        CREATE TABLE sliding_logs (
          key text PRIMARY KEY,
          taken bigint[] NOT NULL,
          refused bigint[] NOT NULL,
          admitted integer NOT NULL,
          at bigint NOT NULL,
          free_at bigint NOT NULL
        ) WITH (fillfactor = 50)`.execute(db);
    },
  },
};
