import { randomBytes } from 'node:crypto';
import type { TokensResponse } from '@imgup/shared';
import { AppError } from '../errors.ts';
import type { AccountStore, Authorization, NewSession, Session } from '../ports/account-store.ts';
import { checkTimes, encodeAccessToken } from './access-token.ts';
import type { KeyRing } from './key-ring.ts';
import { decodeRefreshToken, encodeRefreshToken } from './refresh-token.ts';
import { createTokenMemory } from './token-memory.ts';

const SECOND = 1000;
const DAY = 24 * 60 * 60 * SECOND;

/** A session ends after this long without a refresh, or this long after its log-in. */
const IDLE_LIFETIME = 30 * DAY;
const ABSOLUTE_LIFETIME = 90 * DAY;

/** Sessions of one user: every change writes all of them, so that their number decides how long each takes. */
export const SESSIONS_MAX = 100;

/** How long a replaced token is still answered once its successor has been seen in use: parallel clients. */
const REPLAY_GRACE = 30 * SECOND;

/** How long the revocation of an expired token is kept: a clock that was ahead would forget it while the token lives. */
const REVOCATION_GRACE = DAY;

interface SessionsOptions {
  store: AccountStore;
  keyRing: KeyRing;
  /** Seconds that an access token lives. */
  accessTtl: number;
}

/** Who makes an authenticated request. */
export interface Authenticated extends Pick<Authorization, 'user' | 'session'> {
  tokenId: string;
  /** Seconds since the epoch. */
  tokenExpiresAt: number;
}

export type Sessions = ReturnType<typeof createSessions>;

/**
 * Log-ins and their tokens, as section "Sessions" of ARCHITECTURE.md has them. All times, those in tokens too, are of the
 * store's clock: `at` is when the store was last asked.
 */
export function createSessions({ store, keyRing, accessTtl }: SessionsOptions) {
  const genuineToken = createTokenMemory(keyRing);
  const refreshKeys = () => keyRing.all().map((keys) => keys.refreshToken);

  function isOver(session: Session, at: number): boolean {
    return at >= session.lastUsedAt + IDLE_LIFETIME || at >= session.createdAt + ABSOLUTE_LIFETIME;
  }

  async function issueTokens(session: Session, at: number): Promise<TokensResponse> {
    const issuedAt = Math.floor(at / SECOND);
    const accessToken = await encodeAccessToken(
      {
        userId: session.userId,
        sessionId: session.id,
        tokenId: randomBytes(12).toString('base64url'),
        counter: session.counter,
        issuedAt,
        expiresAt: issuedAt + accessTtl,
      },
      keyRing.current().accessToken,
    );
    return {
      token_type: 'Bearer',
      access_token: accessToken,
      expires_in: accessTtl,
      refresh_token: encodeRefreshToken(
        { sessionId: session.id, counter: session.counter },
        keyRing.current().refreshToken,
      ),
      refresh_expires_in: Math.floor((sessionExpiresAt(session) - at) / SECOND),
    };
  }

  function sessionExpiresAt(session: Session): number {
    return Math.min(session.lastUsedAt + IDLE_LIFETIME, session.createdAt + ABSOLUTE_LIFETIME);
  }

  return {
    /** A session that is yet to be stored. */
    draft(userId: string, device: string | null): NewSession {
      return { id: randomBytes(16).toString('hex'), userId, device };
    },

    /** The tokens of a session that has just begun. */
    firstTokens: (session: Session): Promise<TokensResponse> => issueTokens(session, session.createdAt),

    /** When the session ends if it is not used again, in milliseconds since the epoch. */
    sessionExpiresAt,

    /**
     * Exchanges a refresh token for the next pair of tokens.
     *
     * The newest token is rotated. The one just replaced gets the same successor, because its answer may have been
     * lost; but not once that successor has been seen in use and the grace has passed. Any other genuine token has
     * been used twice, which only a thief or a victim does: the session ends.
     *
     * @throws AppError `invalid_grant`
     */
    async refresh(token: string): Promise<TokensResponse> {
      const content = decodeRefreshToken(token, refreshKeys());
      if (content === null) throw invalidGrant();
      const { sessionId, counter } = content;
      for (;;) {
        const found = await store.findSession(sessionId);
        if (found === null || isOver(found.session, found.at)) throw invalidGrant();
        const { session, at } = found;
        if (counter === session.counter) {
          const rotated = await store.rotate(sessionId, counter);
          // Null: another request has rotated it meanwhile, and this token is now the replaced one.
          if (rotated !== null) return issueTokens(rotated, rotated.rotatedAt);
        } else if (counter === session.counter - 1 && isReplayAllowed(session, at)) {
          // The clock has been set back: the grace counts from now, or it would last as long as the clock was wrong.
          if (session.seenAt !== null) markSeen(session, session.counter, at);
          return issueTokens(session, at);
        } else {
          if (counter < session.counter) await store.endSession(sessionId);
          throw invalidGrant();
        }
      }
    },

    /**
     * Checks an access token, its session and its user, so that a revocation counts at once.
     *
     * @throws AppError `token_invalid`, `token_expired`, `token_revoked`
     */
    async authenticate(token: string): Promise<Authenticated> {
      const genuine = await genuineToken(token);
      const { content } = genuine;
      const found = await store.findAuthorization(content.sessionId, content.tokenId);
      if (found === null) throw tokenRevoked();
      const { user, session, at } = found;
      checkTimes(genuine, at);
      if (found.tokenRevoked || isOver(session, at) || user.id !== content.userId) throw tokenRevoked();
      markSeen(session, content.counter, at);
      return { user, session, tokenId: content.tokenId, tokenExpiresAt: content.expiresAt };
    },

    /** Revokes one access token; its session goes on. */
    async revokeAccessToken({ tokenId, tokenExpiresAt }: Authenticated): Promise<void> {
      await store.revokeAccessToken(tokenId, tokenExpiresAt * SECOND + REVOCATION_GRACE);
    },

    /** Ends the session of a refresh token, and its access tokens with it. An unknown token is no error (RFC 7009). */
    async revokeRefreshToken(token: string): Promise<void> {
      const content = decodeRefreshToken(token, refreshKeys());
      if (content !== null) await store.endSession(content.sessionId);
    },

    /** A user's sessions that have not ended, the latest log-in first. */
    async list(userId: string): Promise<Session[]> {
      const { sessions, at } = await store.listSessions(userId);
      return sessions.filter((session) => !isOver(session, at));
    },

    /**
     * Ends one session of this user.
     *
     * @throws AppError `not_found`, for another user's session too
     */
    async end(userId: string, sessionId: string): Promise<void> {
      const found = await store.findSession(sessionId);
      if (found?.user.id !== userId || !(await store.endSession(sessionId))) {
        throw new AppError('not_found', 'You have no such session. GET /api/sessions lists them.');
      }
    },

    /** Ends all sessions of this user, or all but one; resolves to how many. */
    endAll(userId: string, keepSessionId: string | null): Promise<number> {
      return store.endSessions(userId, keepSessionId);
    },

    /** Forgets what has ended. */
    async sweep(): Promise<void> {
      await store.sweep({ idle: IDLE_LIFETIME, absolute: ABSOLUTE_LIFETIME });
    },
  };

  /** Asks the store only where there is something to note: most requests come with a generation that has been seen. */
  function markSeen(session: Session, counter: number, at: number): void {
    if (counter !== session.counter || (session.seenAt !== null && session.seenAt <= at)) return;
    store.markSeen(session.id, counter).catch(() => undefined);
  }
}

function isReplayAllowed(session: Session, at: number): boolean {
  return session.seenAt === null || at <= session.seenAt + REPLAY_GRACE;
}

function tokenRevoked(): AppError {
  return new AppError('token_revoked', 'This session has ended. Log in again.');
}

function invalidGrant(): AppError {
  return new AppError('invalid_grant', 'This session has ended. Log in again.');
}
