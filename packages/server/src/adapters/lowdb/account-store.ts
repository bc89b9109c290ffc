import { Low } from 'lowdb';
import type { AccountStore, NewSession, Session, UploadKey, User } from '../../ports/account-store.ts';
import { createDurableJsonFile } from './durable-json-file.ts';
import { createGroupCommit } from './group-commit.ts';
import { FORMAT, parseDatabase, type Database } from './parse-database.ts';

const EMPTY: Database = { format: FORMAT, users: {}, sessions: {}, revoked: {}, removals: {}, keys: {} };

/**
 * Accounts in one JSON file, held in memory. Records are keyed by ids that the server makes, never by a name from
 * outside; names have an index of their own.
 *
 * @param path db.json; made at the first change
 * @param now milliseconds since the epoch
 */
export async function openLowdbAccountStore(path: string, now: () => number = Date.now): Promise<AccountStore> {
  const file = createDurableJsonFile(path, (json) => {
    const parsed = parseDatabase(json);
    if (parsed === null || 'database' in parsed) return parsed && parsed.database;
    return `has format ${parsed.newer}, and this imgup reads format ${FORMAT}: use a newer imgup`;
  });
  await file.recover();
  const db = new Low<Database>(file, EMPTY);
  await db.read();
  const data: Database = {
    format: FORMAT,
    users: withoutPrototype(db.data.users),
    sessions: withoutPrototype(db.data.sessions),
    revoked: withoutPrototype(db.data.revoked),
    removals: withoutPrototype(db.data.removals),
    keys: withoutPrototype(db.data.keys),
  };
  db.data = data;

  const idsByName = new Map(Object.values(data.users).map((user) => [nameKey(user.username), user.id]));
  /** No upload that one of these has begun outlives its server. */
  const removedBefore = new Set(Object.keys(data.removals));
  const { commit, settled, close } = createGroupCommit(() => db.write());

  /** Replaces, adds, or removes (`after` undefined) one record in memory; returns the way back. */
  function set<T>(records: Record<string, T>, id: string, after: T | undefined): Undo {
    const before = records[id];
    const assign = (value: T | undefined) => {
      if (value === undefined) delete records[id];
      else records[id] = value;
    };
    assign(after);
    return () => {
      assign(before);
    };
  }

  function sessionsOf(userId: string): Session[] {
    return Object.values(data.sessions).filter((session) => session.userId === userId);
  }

  function removeSessions(sessions: Session[]): Undo[] {
    return sessions.map((session) => set(data.sessions, session.id, undefined));
  }

  function keysOf(userId: string): UploadKey[] {
    return Object.values(data.keys).filter((key) => key.userId === userId);
  }

  return {
    async createUser(candidate, newSession, { onlyFirst } = { onlyFirst: false }) {
      const key = nameKey(candidate.username);
      if (onlyFirst && idsByName.size > 0) return 'not_first';
      if (idsByName.has(key)) return 'username_taken';
      const at = now();
      const user: User = { ...candidate, role: idsByName.size === 0 ? 'admin' : 'user', createdAt: at };
      const session = beginSession(newSession, at);
      idsByName.set(key, user.id);
      const undoUser = set(data.users, user.id, user);
      const undoSession = set(data.sessions, session.id, session);
      await commit(() => {
        undoSession();
        undoUser();
        idsByName.delete(key);
      });
      return { user, session };
    },

    findUser: (userId) => Promise.resolve(data.users[userId] ?? null),

    findUserByName(username) {
      const id = idsByName.get(nameKey(username));
      return Promise.resolve(id === undefined ? null : (data.users[id] ?? null));
    },

    listUsers() {
      return Promise.resolve(Object.values(data.users).toSorted((a, b) => a.createdAt - b.createdAt));
    },

    async setPassword(session, expectedHash, passwordHash) {
      const { id, userId } = session;
      const user = data.users[userId];
      if (user?.passwordHash !== expectedHash || data.sessions[id]?.userId !== userId) return false;
      const ended = removeSessions(sessionsOf(userId).filter((other) => other.id !== id));
      await commit(all([...ended, set(data.users, userId, { ...user, passwordHash })]));
      return true;
    },

    async deleteUser(userId, removeImages) {
      const user = data.users[userId];
      if (user === undefined) return 'not_found';
      const isAdmin = ({ role }: User) => role === 'admin';
      if (isAdmin(user) && Object.values(data.users).filter(isAdmin).length === 1) return 'last_admin';
      const key = nameKey(user.username);
      const undos = [...removeSessions(sessionsOf(userId)), set(data.users, userId, undefined)];
      undos.push(...keysOf(userId).map((uploadKey) => set(data.keys, uploadKey.id, undefined)));
      undos.push(set(data.removals, userId, removeImages ? 'remove' : 'keep'));
      idsByName.delete(key);
      undos.push(() => idsByName.set(key, userId));
      await commit(all(undos));
      return 'deleted';
    },

    async listRemovals() {
      const noted = Object.keys(data.removals);
      // A removal that is taken back must not cost the pictures.
      await settled();
      return noted
        .filter((userId) => data.removals[userId] === 'remove')
        .map((userId) => ({ userId, settled: removedBefore.has(userId) }));
    },

    async finishRemoval(userId) {
      await commit(set(data.removals, userId, undefined));
    },

    async createSession(newSession, expectedHash, max) {
      if (data.users[newSession.userId]?.passwordHash !== expectedHash) return null;
      const session = beginSession(newSession, now());
      const others = sessionsOf(session.userId).toSorted((a, b) => a.lastUsedAt - b.lastUsedAt);
      const ended = removeSessions(others.slice(0, Math.max(0, others.length + 1 - max)));
      await commit(all([...ended, set(data.sessions, session.id, session)]));
      return session;
    },

    async findSession(sessionId) {
      for (;;) {
        const session = data.sessions[sessionId];
        const user = session && data.users[session.userId];
        await settled();
        // Changed meanwhile, or taken back: then what was found is not what is stored.
        if (data.sessions[sessionId] !== session || (session && data.users[session.userId] !== user)) continue;
        return user ? { session, user, at: now() } : null;
      }
    },

    findAuthorization(sessionId, tokenId) {
      const session = data.sessions[sessionId];
      const user = session && data.users[session.userId];
      const tokenRevoked = data.revoked[tokenId] !== undefined;
      return Promise.resolve(user ? { user, session, tokenRevoked, at: now() } : null);
    },

    async rotate(sessionId, from) {
      const session = data.sessions[sessionId];
      if (session?.counter !== from) return null;
      const at = now();
      const rotated: Session = {
        ...session,
        counter: from + 1,
        seenAt: null,
        rotatedAt: at,
        lastUsedAt: Math.max(session.lastUsedAt, at),
      };
      await commit(set(data.sessions, sessionId, rotated));
      return rotated;
    },

    async markSeen(sessionId, counter) {
      const session = data.sessions[sessionId];
      const at = now();
      if (session?.counter !== counter || (session.seenAt !== null && session.seenAt <= at)) return;
      const seen = { ...session, seenAt: at, lastUsedAt: Math.max(session.lastUsedAt, at) };
      await commit(set(data.sessions, sessionId, seen));
    },

    listSessions(userId) {
      const sessions = sessionsOf(userId).toSorted((a, b) => b.createdAt - a.createdAt);
      return Promise.resolve({ sessions, at: now() });
    },

    async endSessions(userId, keepSessionId) {
      const others = () => sessionsOf(userId).filter((session) => session.id !== keepSessionId);
      // As in endSession.
      if (others().length === 0) await settled();
      const ended = removeSessions(others());
      if (ended.length > 0) await commit(all(ended));
      return ended.length;
    },

    async endSession(sessionId) {
      // Its end may still be on its way to the disk, and "there is none" is a promise too.
      if (data.sessions[sessionId] === undefined) await settled();
      if (data.sessions[sessionId] === undefined) return false;
      await commit(set(data.sessions, sessionId, undefined));
      return true;
    },

    async revokeAccessToken(tokenId, until) {
      await commit(set(data.revoked, tokenId, until));
    },

    async createKey(newKey, sessionId, max) {
      if (data.sessions[sessionId]?.userId !== newKey.userId) return 'session_ended';
      if (keysOf(newKey.userId).length >= max) return 'too_many';
      const key: UploadKey = { ...newKey, createdAt: now(), lastUsedAt: null };
      await commit(set(data.keys, key.id, key));
      return key;
    },

    findKey(keyId) {
      const key = data.keys[keyId];
      const user = key && data.users[key.userId];
      return Promise.resolve(user ? { key, user, at: now() } : null);
    },

    listKeys(userId) {
      return Promise.resolve(keysOf(userId).toSorted((a, b) => b.createdAt - a.createdAt));
    },

    async markKeyUsed(keyId) {
      const key = data.keys[keyId];
      const at = now();
      if (key === undefined || (key.lastUsedAt !== null && key.lastUsedAt >= at)) return;
      await commit(set(data.keys, keyId, { ...key, lastUsedAt: at }));
    },

    async deleteKey(userId, keyId) {
      // As in endSession.
      if (data.keys[keyId]?.userId !== userId) await settled();
      if (data.keys[keyId]?.userId !== userId) return false;
      await commit(set(data.keys, keyId, undefined));
      return true;
    },

    async sweep({ idle, absolute }) {
      const at = now();
      const over = Object.values(data.sessions).filter(
        (session) => session.lastUsedAt < at - idle || session.createdAt < at - absolute,
      );
      const forgotten = Object.entries(data.revoked).filter(([, until]) => until <= at);
      const undos = [...removeSessions(over), ...forgotten.map(([id]) => set(data.revoked, id, undefined))];
      if (undos.length > 0) await commit(all(undos));
    },

    // All of it is in memory; whether it can be written is what `StorageProbe` tries.
    check: () => Promise.resolve(),

    close,
  };
}

function beginSession({ id, userId, device }: NewSession, at: number): Session {
  return { id, userId, counter: 0, seenAt: null, rotatedAt: at, createdAt: at, lastUsedAt: at, device };
}

/** Ids from outside (a claim of a token) are looked up in these, and "constructor" must find nothing. */
function withoutPrototype<T>(records: Record<string, T>): Record<string, T> {
  return Object.assign(Object.create(null) as Record<string, T>, records);
}

type Undo = () => void;

function all(undos: Undo[]): Undo {
  return () => {
    for (const undo of undos) undo();
  };
}

function nameKey(username: string): string {
  return username.toLowerCase();
}
