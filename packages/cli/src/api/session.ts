import { ApiError, CliError, EXIT, loginCommand, usageError } from '../errors.ts';
import type { Client } from './client.ts';
import { accessTokenLeft, newRecord, type SessionRecord } from './session-record.ts';
import type { SessionStore } from './session-store.ts';

/** A token with less left than this is replaced before it is used. */
const REFRESH_BEFORE_MS = 60_000;

/** The bound of a refresh, under which the time that others wait for the lock is safe. */
const REFRESH_TIMEOUT_MS = 20_000;

/**
 * A token that was read longer ago than this is read again before it is sent. A process that was stopped in between is
 * stepped over by others, which replace the token; sent after that, it would look stolen, and end the session.
 */
const READ_GOOD_FOR_MS = 10_000;

/** The right to act as a user. */
export interface Session {
  /** Whose it is, where that is known before asking the server. */
  readonly user: string | null;
  readonly storedIn: SessionStore['kind'] | 'environment';
  /**
   * Does work with an access token that is good for a while, and once more with a fresh one where the server refuses it.
   * Errors: what `work` throws, and `CliError` (session) where a log-in is needed.
   */
  authorized<T>(work: (accessToken: string) => Promise<T>): Promise<T>;
}

/**
 * A session out of the credential store. Any number of processes may share it: a refresh happens under the lock, by whoever
 * comes first, and the others adopt what it has stored.
 *
 * @param options.now this machine's clock in milliseconds
 */
export function createStoredSession({
  client,
  store,
  now,
}: {
  client: Client;
  store: SessionStore;
  now: () => number;
}): Session {
  let known: SessionRecord | null = null;

  const isFresh = (record: SessionRecord) => accessTokenLeft(record, now()) >= REFRESH_BEFORE_MS;

  async function freshRecord(): Promise<SessionRecord> {
    const record = known ?? (await store.read());
    if (record === null) throw notLoggedIn(store.origin);
    return isFresh(record) ? record : replacementFor(record);
  }

  async function readNow(): Promise<SessionRecord | null> {
    for (;;) {
      const startedAt = performance.now();
      const record = await store.read();
      if (performance.now() - startedAt < READ_GOOD_FOR_MS) return record;
    }
  }

  function replacementFor(used: SessionRecord): Promise<SessionRecord> {
    return store.exclusively(async () => {
      const current = await readNow();
      if (current === null) throw notLoggedIn(store.origin);
      // Another process was faster: what it has stored is as good as what a refresh would bring.
      if (current.access_token !== used.access_token && isFresh(current)) return current;
      return refresh(current);
    });
  }

  async function refresh(current: SessionRecord): Promise<SessionRecord> {
    const answer = await client
      .refresh(current.refresh_token, AbortSignal.timeout(REFRESH_TIMEOUT_MS))
      .catch((error: unknown) => {
        if (error instanceof ApiError && error.code === 'invalid_grant') return null;
        throw error;
      });
    // The lock may have been stepped over, so what is stored is looked at again before it is replaced or deleted.
    const stored = await store.read();
    if (answer === null) return afterRefusal(current, stored);
    if (stored === null) throw notLoggedIn(store.origin);
    // What somebody else has stored meanwhile is no older than this answer, and may be newer.
    if (stored.refresh_token !== current.refresh_token) return stored;
    const record = newRecord(current.user, answer.body, { serverTime: answer.serverTime, now: now() });
    // Stored before it is used: the server takes the first use as the sign that the token before it is no longer needed.
    await store.write(record);
    return record;
  }

  async function afterRefusal(refused: SessionRecord, stored: SessionRecord | null): Promise<SessionRecord> {
    if (stored !== null && stored.refresh_token !== refused.refresh_token) return stored;
    if (stored !== null) await store.delete();
    throw new CliError(
      'session_ended',
      EXIT.session,
      `Your session at ${store.origin} has ended; run \`${loginCommand(store.origin)}\`.`,
    );
  }

  return {
    user: store.user,
    storedIn: store.kind,
    async authorized(work) {
      known = await freshRecord();
      try {
        return await work(known.access_token);
      } catch (error) {
        if (!isTokenRefusal(error)) throw error;
        known = await replacementFor(known);
        return work(known.access_token);
      }
    },
  };
}

/** A session made of `IMGUP_TOKEN`, which is used as it is and never stored. */
export function createTokenSession(token: string, origin: string): Session {
  if (!/^[!-~]+$/.test(token)) {
    throw usageError('IMGUP_TOKEN holds characters that no token has; set it to an access token, or unset it.');
  }
  return {
    user: null,
    storedIn: 'environment',
    async authorized(work) {
      try {
        return await work(token);
      } catch (error) {
        if (!isTokenRefusal(error)) throw error;
        throw new CliError(
          error.code,
          EXIT.session,
          `${origin} refuses the token in IMGUP_TOKEN (${TOKEN_REFUSALS[error.code]}); set a valid one, or unset it and run \`${loginCommand(origin)}\`.`,
          { cause: error },
        );
      }
    },
  };
}

export function notLoggedIn(origin: string): CliError {
  return new CliError(
    'not_logged_in',
    EXIT.session,
    `You are not logged in at ${origin}; run \`${loginCommand(origin)}\`.`,
  );
}

const TOKEN_REFUSALS = {
  token_invalid: 'it is not valid',
  token_expired: 'it has expired',
  token_revoked: 'it has been revoked',
} as const;

function isTokenRefusal(error: unknown): error is ApiError & { code: keyof typeof TOKEN_REFUSALS } {
  return error instanceof ApiError && Object.hasOwn(TOKEN_REFUSALS, error.code);
}
