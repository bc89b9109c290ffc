/** Times are milliseconds since the epoch throughout, by the store's clock: several servers share one. */
export interface User {
  id: string;
  /** As registered; names are compared without case. */
  username: string;
  role: 'admin' | 'user';
  passwordHash: string;
  createdAt: number;
}

export interface Session {
  id: string;
  userId: string;
  /** The generation of the newest refresh token. */
  counter: number;
  /** When the newest generation was first seen in use; null while it has not been. */
  seenAt: number | null;
  rotatedAt: number;
  createdAt: number;
  lastUsedAt: number;
  device: string | null;
}

/** A long-lived key that uploads and does nothing else. Its text is known to whoever made it, and not here. */
export interface UploadKey {
  id: string;
  userId: string;
  name: string;
  /** SHA-256 of the key, in hex. */
  hash: string;
  createdAt: number;
  /** Null while it has not been used. */
  lastUsedAt: number | null;
}

/** What is stored anew; the store adds the times. */
export type NewUser = Pick<User, 'id' | 'username' | 'passwordHash'>;
export type NewSession = Pick<Session, 'id' | 'userId' | 'device'>;
export type NewUploadKey = Pick<UploadKey, 'id' | 'userId' | 'name' | 'hash'>;

/** What decides about one authenticated request. */
export interface Authorization {
  user: User;
  session: Session;
  tokenRevoked: boolean;
  /** The store's time of this look. */
  at: number;
}

/** A removed user whose pictures have yet to be removed. */
export interface Removal {
  userId: string;
  /** Whether it is so long ago that no upload of theirs can still be under way, and leave something behind. */
  settled: boolean;
}

/**
 * Users, sessions, revoked access tokens and upload keys.
 *
 * When a method that changes something resolves, the change survives a power cut, except where it says otherwise.
 * When it rejects, nothing has changed; only where the connection to a database was lost, the change may be stored all
 * the same (section "Past one machine" of ARCHITECTURE.md). Each is atomic, so that no service needs a lock.
 *
 * The store has the clock: what decides by time gets the time with what was found, so that servers whose clocks differ
 * decide alike.
 */
export interface AccountStore {
  /**
   * Adds a user and their first session. The first user ever becomes the administrator.
   * With nothing changed, resolves to why not: `not_first` where only the first user may be added.
   */
  createUser(
    user: NewUser,
    session: NewSession,
    options?: { onlyFirst: boolean },
  ): Promise<{ user: User; session: Session } | 'username_taken' | 'not_first'>;

  findUserByName(username: string): Promise<User | null>;

  findUser(userId: string): Promise<User | null>;

  /** All users, oldest first. */
  listUsers(): Promise<User[]>;

  /**
   * Replaces the password's hash and ends every session but this one. False, and nothing changed, where the hash is no
   * longer `expectedHash` or the session has ended: to hash takes long enough for either.
   */
  setPassword(session: Pick<Session, 'id' | 'userId'>, expectedHash: string, passwordHash: string): Promise<boolean>;

  /**
   * Removes a user, their sessions and their upload keys. Where `removeImages` is set, the id is listed by `listRemovals` from then on.
   * An administrator is removed only while another is left: then the result is `last_admin`.
   */
  deleteUser(userId: string, removeImages: boolean): Promise<'deleted' | 'not_found' | 'last_admin'>;

  /** Those that are stored, and whose pictures are not to be kept. */
  listRemovals(): Promise<Removal[]>;

  /** Notes that a removed user's pictures are gone. */
  finishRemoval(userId: string): Promise<void>;

  /**
   * Adds a session, and ends those of its user that have not been used for longest, so that they have `max` at most.
   * Null where the user is gone or their hash is no longer the one that was compared with.
   */
  createSession(session: NewSession, expectedHash: string, max: number): Promise<Session | null>;

  /** The session and its user as they are stored, after every change under way has been, and the store's time. */
  findSession(sessionId: string): Promise<{ session: Session; user: User; at: number } | null>;

  /** User, session and the token's revocation in one look; it may see a change that is still being stored. */
  findAuthorization(sessionId: string, tokenId: string): Promise<Authorization | null>;

  /**
   * Raises the counter from `from` to `from + 1`, unseen, if it still is `from`. The time of the last use never goes
   * back: a machine that starts with a clock of 1970 would make every session that is used then look idle later.
   * Resolves to the session after the change, or null where the counter differs or the session is gone.
   */
  rotate(sessionId: string, from: number): Promise<Session | null>;

  /**
   * Notes that this generation has been seen in use, if it is still the newest and has not been seen before; a time
   * that is yet to come is of a clock that was wrong, and becomes the present one. Nobody need wait for it: where it is
   * lost, the replaced token is answered for longer, and nobody is logged out.
   */
  markSeen(sessionId: string, counter: number): Promise<void>;

  /** A user's sessions, the latest log-in first, and the store's time. */
  listSessions(userId: string): Promise<{ sessions: Session[]; at: number }>;

  /** Ends a session; false where there is none. */
  endSession(sessionId: string): Promise<boolean>;

  /** Ends all sessions of a user, or all but one; resolves to how many. */
  endSessions(userId: string, keepSessionId: string | null): Promise<number>;

  /** Remembers until `until` that an access token is revoked. */
  revokeAccessToken(tokenId: string, until: number): Promise<void>;

  /**
   * Adds an upload key. With nothing changed, resolves to why not: `session_ended` where the session that asks for it is
   * gone (reading the request takes long enough), `too_many` where its user has `max` keys.
   */
  createKey(key: NewUploadKey, sessionId: string, max: number): Promise<UploadKey | 'session_ended' | 'too_many'>;

  /** An upload key, its user and the store's time in one look; it may see a change that is still being stored. */
  findKey(keyId: string): Promise<{ key: UploadKey; user: User; at: number } | null>;

  /** A user's upload keys, the latest first. */
  listKeys(userId: string): Promise<UploadKey[]>;

  /** Notes that an upload key is used now; the time never goes back. Nobody need wait for it. */
  markKeyUsed(keyId: string): Promise<void>;

  /** Removes an upload key of this user; false where they have no such key. */
  deleteKey(userId: string, keyId: string): Promise<boolean>;

  /**
   * Forgets revocations past their time, and sessions that have been idle or have lived for longer than these, in
   * milliseconds. Any server may do it, several at once too.
   */
  sweep(lifetimes: { idle: number; absolute: number }): Promise<void>;

  /** Rejects where the accounts cannot be read just now. */
  check(): Promise<void>;

  close(): Promise<void>;
}
