import type { AccountStore } from '../../ports/account-store.ts';
import { CLOCK, type Database } from './database.ts';
import { KEY, keyOf, SESSION, sessionOf, USER, userOf, type KeyRow, type SessionRow, type UserRow } from './rows.ts';

/** No request lasts longer, and a removal is settled once none that began before it goes on; in milliseconds. */
const SETTLED_AFTER = 60 * 60 * 1000;

/**
 * Accounts in PostgreSQL. What many requests do is one statement each. What has to look at several rows before it changes
 * them locks the user's row first, and looks then: a statement sees what was committed before it began, so one
 * that both waits and looks would decide by what was true before the wait.
 */
export function createPostgresAccountStore({ query, transaction, time, close }: Database): AccountStore {
  return {
    async createUser({ id, username, passwordHash }, session, { onlyFirst } = { onlyFirst: false }) {
      const rows = await query<UserRow & SessionRow>(
        `WITH ${CLOCK},
        first AS (INSERT INTO first_user VALUES (true) ON CONFLICT DO NOTHING RETURNING here),
        u AS (
          INSERT INTO users (id, username, name_key, role, password_hash, created_at)
          SELECT $2, $3, $4, CASE WHEN EXISTS (SELECT FROM first) THEN 'admin' ELSE 'user' END, $5, at FROM clock
          WHERE NOT $6::boolean OR EXISTS (SELECT FROM first)
          ON CONFLICT (name_key) DO NOTHING
          RETURNING *
        ),
        s AS (
          INSERT INTO sessions (id, user_id, counter, rotated_at, created_at, last_used_at, device)
          SELECT $7, u.id, 0, u.created_at, u.created_at, u.created_at, $8 FROM u
          RETURNING *
        )
        SELECT ${USER}, ${SESSION} FROM u, s`,
        [time(), id, username, nameKey(username), passwordHash, onlyFirst, session.id, session.device],
      );
      const [row] = rows;
      if (row !== undefined) return { user: userOf(row), session: sessionOf(row) };
      return onlyFirst ? 'not_first' : 'username_taken';
    },

    async findUserByName(username) {
      const [row] = await query<UserRow>(`SELECT ${USER} FROM users u WHERE u.name_key = $1`, [nameKey(username)]);
      return row === undefined ? null : userOf(row);
    },

    async findUser(userId) {
      const [row] = await query<UserRow>(`SELECT ${USER} FROM users u WHERE u.id = $1`, [userId]);
      return row === undefined ? null : userOf(row);
    },

    async listUsers() {
      return (await query<UserRow>(`SELECT ${USER} FROM users u ORDER BY u.created_at, u.id`, [])).map(userOf);
    },

    setPassword({ id, userId }, expectedHash, passwordHash) {
      return transaction(async (inTransaction) => {
        const [user] = await inTransaction<UserRow>(LOCK_USER, [userId]);
        const [live] = await inTransaction(LOCK_SESSION, [id, userId]);
        if (user?.password_hash !== expectedHash || live === undefined) return false;
        await inTransaction('UPDATE users SET password_hash = $2 WHERE id = $1', [userId, passwordHash]);
        await inTransaction(END_SESSIONS, [userId, id]);
        return true;
      });
    },

    deleteUser(userId, removeImages) {
      return transaction(async (inTransaction) => {
        // All administrators: of two who remove each other at once, one is the last.
        const locked = await inTransaction<UserRow>(
          `SELECT ${USER} FROM users u WHERE u.id = $1 OR u.role = 'admin' ORDER BY u.id FOR UPDATE`,
          [userId],
        );
        const user = locked.find((row) => row.user_id === userId);
        if (user === undefined) return 'not_found';
        if (user.role === 'admin' && locked.length === 1) return 'last_admin';
        await inTransaction(
          `WITH ${CLOCK} INSERT INTO removals (user_id, pictures, removed_at) SELECT $2, $3, at FROM clock
          ON CONFLICT (user_id) DO UPDATE SET pictures = excluded.pictures, removed_at = excluded.removed_at`,
          [time(), userId, removeImages ? 'remove' : 'keep'],
        );
        await inTransaction('DELETE FROM users WHERE id = $1', [userId]);
        return 'deleted';
      });
    },

    async listRemovals() {
      const rows = await query<{ user_id: string; settled: boolean }>(
        `WITH ${CLOCK} SELECT user_id, removed_at + $2::bigint <= at AS settled FROM removals, clock
        WHERE pictures = 'remove'`,
        [time(), SETTLED_AFTER],
      );
      return rows.map(({ user_id, settled }) => ({ userId: user_id, settled }));
    },

    async finishRemoval(userId) {
      await query('DELETE FROM removals WHERE user_id = $1', [userId]);
    },

    createSession({ id, userId, device }, expectedHash, max) {
      return transaction(async (inTransaction) => {
        const [user] = await inTransaction<UserRow>(LOCK_USER, [userId]);
        if (user?.password_hash !== expectedHash) return null;
        await inTransaction(
          `DELETE FROM sessions WHERE id IN (
            SELECT id FROM sessions WHERE user_id = $1 ORDER BY last_used_at DESC, id OFFSET greatest(0, $2::int - 1)
          )`,
          [userId, max],
        );
        const [row] = await inTransaction<SessionRow>(
          `WITH ${CLOCK} INSERT INTO sessions AS s (id, user_id, counter, rotated_at, created_at, last_used_at, device)
          SELECT $2, $3, 0, at, at, at, $4 FROM clock RETURNING ${SESSION}`,
          [time(), id, userId, device],
        );
        return row === undefined ? null : sessionOf(row);
      });
    },

    async findSession(sessionId) {
      const [row] = await query<UserRow & SessionRow & { at: number }>(
        `WITH ${CLOCK} SELECT ${USER}, ${SESSION}, at FROM clock, sessions s JOIN users u ON u.id = s.user_id
        WHERE s.id = $2`,
        [time(), sessionId],
      );
      return row === undefined ? null : { session: sessionOf(row), user: userOf(row), at: row.at };
    },

    async findAuthorization(sessionId, tokenId) {
      const [row] = await query<UserRow & SessionRow & { token_revoked: boolean; at: number }>(
        `WITH ${CLOCK} SELECT ${USER}, ${SESSION}, at, EXISTS (SELECT FROM revoked_tokens r WHERE r.id = $3) AS token_revoked
        FROM clock, sessions s JOIN users u ON u.id = s.user_id WHERE s.id = $2`,
        [time(), sessionId, tokenId],
      );
      if (row === undefined) return null;
      return { user: userOf(row), session: sessionOf(row), tokenRevoked: row.token_revoked, at: row.at };
    },

    async rotate(sessionId, from) {
      const [row] = await query<SessionRow>(
        `WITH ${CLOCK} UPDATE sessions s
        SET counter = counter + 1, seen_at = NULL, rotated_at = at, last_used_at = greatest(last_used_at, at)
        FROM clock WHERE s.id = $2 AND s.counter = $3::bigint RETURNING ${SESSION}`,
        [time(), sessionId, from],
      );
      return row === undefined ? null : sessionOf(row);
    },

    async markSeen(sessionId, counter) {
      await query(
        `WITH ${CLOCK} UPDATE sessions SET seen_at = at, last_used_at = greatest(last_used_at, at)
        FROM clock WHERE id = $2 AND counter = $3::bigint AND (seen_at IS NULL OR seen_at > at)`,
        [time(), sessionId, counter],
      );
    },

    async listSessions(userId) {
      const rows = await query<Partial<SessionRow> & { at: number }>(
        `WITH ${CLOCK} SELECT at, ${SESSION} FROM clock LEFT JOIN sessions s ON s.user_id = $2
        ORDER BY s.created_at DESC, s.id`,
        [time(), userId],
      );
      const sessions = rows.filter((row): row is SessionRow & { at: number } => typeof row.session_id === 'string');
      return { sessions: sessions.map(sessionOf), at: rows[0]?.at ?? 0 };
    },

    async endSession(sessionId) {
      return (await query('DELETE FROM sessions WHERE id = $1 RETURNING id', [sessionId])).length > 0;
    },

    async endSessions(userId, keepSessionId) {
      return (await query(END_SESSIONS, [userId, keepSessionId])).length;
    },

    async revokeAccessToken(tokenId, until) {
      await query(
        `INSERT INTO revoked_tokens AS r (id, until) VALUES ($1, $2)
        ON CONFLICT (id) DO UPDATE SET until = greatest(r.until, excluded.until)`,
        [tokenId, until],
      );
    },

    createKey({ id, userId, name, hash }, sessionId, max) {
      return transaction(async (inTransaction) => {
        await inTransaction(LOCK_USER, [userId]);
        const [live] = await inTransaction(LOCK_SESSION, [sessionId, userId]);
        if (live === undefined) return 'session_ended';
        const [row] = await inTransaction<KeyRow>(
          `WITH ${CLOCK} INSERT INTO upload_keys AS k (id, user_id, name, hash, created_at)
          SELECT $2, $3, $4, $5, at FROM clock
          WHERE (SELECT count(*) FROM upload_keys WHERE user_id = $3) < $6::int RETURNING ${KEY}`,
          [time(), id, userId, name, hash, max],
        );
        return row === undefined ? 'too_many' : keyOf(row);
      });
    },

    async findKey(keyId) {
      const [row] = await query<UserRow & KeyRow & { at: number }>(
        `WITH ${CLOCK} SELECT ${USER}, ${KEY}, at FROM clock, upload_keys k JOIN users u ON u.id = k.user_id
        WHERE k.id = $2`,
        [time(), keyId],
      );
      return row === undefined ? null : { key: keyOf(row), user: userOf(row), at: row.at };
    },

    async listKeys(userId) {
      const rows = await query<KeyRow>(
        `SELECT ${KEY} FROM upload_keys k WHERE k.user_id = $1 ORDER BY k.created_at DESC, k.id`,
        [userId],
      );
      return rows.map(keyOf);
    },

    async markKeyUsed(keyId) {
      await query(
        `WITH ${CLOCK} UPDATE upload_keys SET last_used_at = at FROM clock
        WHERE id = $2 AND (last_used_at IS NULL OR last_used_at < at)`,
        [time(), keyId],
      );
    },

    async deleteKey(userId, keyId) {
      const gone = await query('DELETE FROM upload_keys WHERE user_id = $1 AND id = $2 RETURNING id', [userId, keyId]);
      return gone.length > 0;
    },

    async sweep({ idle, absolute }) {
      // What another server's sweep holds just now is left to that one.
      const deleteFrom = (table: string, column: string, isOver: string) =>
        `DELETE FROM ${table} WHERE ${column} IN (
          SELECT ${column} FROM ${table}, clock WHERE ${isOver} FOR UPDATE OF ${table} SKIP LOCKED
        )`;
      await query(
        `WITH ${CLOCK},
        ended AS (${deleteFrom('sessions', 'id', 'last_used_at < at - $2::bigint OR created_at < at - $3::bigint')}),
        forgotten AS (${deleteFrom('revoked_tokens', 'id', 'until <= at')})
        ${deleteFrom('sliding_logs', 'key', 'free_at <= clock.at')}`,
        [time(), idle, absolute],
      );
    },

    async check() {
      // Refused where the database is read-only, too: after a failover, say.
      await query('DELETE FROM revoked_tokens WHERE false', []);
    },

    close,
  };
}

const LOCK_USER = `SELECT ${USER} FROM users u WHERE u.id = $1 FOR UPDATE`;

/** Whoever ends the session meanwhile waits until this is done. */
const LOCK_SESSION = 'SELECT id FROM sessions WHERE id = $1 AND user_id = $2 FOR SHARE';

/** In the order of ids, as everything that locks several: two that meet wait for each other in one direction only. */
const END_SESSIONS = `DELETE FROM sessions WHERE id IN (
  SELECT id FROM sessions WHERE user_id = $1 AND ($2::text IS NULL OR id <> $2) ORDER BY id FOR UPDATE
) RETURNING id`;

/** Names are ASCII, and compared without case. */
function nameKey(username: string): string {
  return username.toLowerCase();
}
