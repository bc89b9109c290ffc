/** Times are milliseconds since the epoch throughout. */
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

/** What decides about one authenticated request. */
export interface Authorization {
  user: User;
  session: Session;
  tokenRevoked: boolean;
}

/**
 * Users, sessions, revoked access tokens and upload keys.
 *
 * When a method that changes something resolves, the change survives a power cut, except where it says otherwise;
 * when it rejects, nothing has changed. Each is atomic, so that no service needs a lock.
 */
export interface AccountStore {
  /**
   * Adds a user and their first session. The first user ever becomes the administrator.
   * Resolves to the user; or, with nothing changed, to why not: `not_first` where only the first user may be added.
   */
  createUser(
    user: Omit<User, 'role'>,
    session: Session,
    options?: { onlyFirst: boolean },
  ): Promise<User | 'username_taken' | 'not_first'>;

  findUserByName(username: string): Promise<User | null>;

  findUser(userId: string): Promise<User | null>;

  /** All users, oldest first. */
  listUsers(): Promise<User[]>;

  /**
   * Replaces the password's hash and ends every session but this one. False, and nothing changed, where the hash is no
   * longer `expectedHash` or the session has ended: to hash takes long enough for either.
   */
  setPassword(session: Session, expectedHash: string, passwordHash: string): Promise<boolean>;

  /**
   * Removes a user, their sessions and their upload keys. Where `removeImages` is set, the id is listed by `listRemovals` from then on.
   * An administrator is removed only while another is left: then the result is `last_admin`.
   */
  deleteUser(userId: string, removeImages: boolean): Promise<'deleted' | 'not_found' | 'last_admin'>;

  /** Ids of removed users whose pictures have yet to be removed; only of those whose removal is stored. */
  listRemovals(): Promise<string[]>;

  /** Notes that a removed user's pictures are gone. */
  finishRemoval(userId: string): Promise<void>;

  /**
   * Adds a session, and ends those of its user that have not been used for longest, so that they have `max` at most.
   * False where the user is gone or their hash is no longer the one that was compared with.
   */
  createSession(session: Session, expectedHash: string, max: number): Promise<boolean>;

  /** The session and its user as they are stored, after every change under way has been. */
  findSession(sessionId: string): Promise<{ session: Session; user: User } | null>;

  /** User, session and the token's revocation in one look; it may see a change that is still being stored. */
  findAuthorization(sessionId: string, tokenId: string): Promise<Authorization | null>;

  /**
   * Raises the counter from `from` to `from + 1`, unseen, if it still is `from`. The time of the last use never goes
   * back: a machine that starts with a clock of 1970 would make every session that is used then look idle later.
   * Resolves to the session after the change, or null where the counter differs or the session is gone.
   */
  rotate(sessionId: string, from: number, at: number): Promise<Session | null>;

  /**
   * Notes that this generation has been seen in use, if it is still the newest and has not been seen before; a time
   * later than `at` is of a clock that was wrong, and becomes `at`. May be lost in a crash: the replaced token is then
   * answered for longer, and nobody is logged out.
   */
  markSeen(sessionId: string, counter: number, at: number): void;

  /** A user's sessions, the latest log-in first. */
  listSessions(userId: string): Promise<Session[]>;

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
  createKey(key: UploadKey, sessionId: string, max: number): Promise<'created' | 'session_ended' | 'too_many'>;

  /** An upload key and its user in one look; it may see a change that is still being stored. */
  findKey(keyId: string): Promise<{ key: UploadKey; user: User } | null>;

  /** A user's upload keys, the latest first. */
  listKeys(userId: string): Promise<UploadKey[]>;

  /** Notes when an upload key was used; never goes back. May be lost in a crash. */
  markKeyUsed(keyId: string, at: number): void;

  /** Removes an upload key of this user; false where they have no such key. */
  deleteKey(userId: string, keyId: string): Promise<boolean>;

  /** Forgets revocations past their time, and sessions idle since before `idleSince` or older than `createdBefore`. */
  sweep(now: number, idleSince: number, createdBefore: number): Promise<void>;

  close(): Promise<void>;
}
