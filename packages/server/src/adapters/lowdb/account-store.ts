import { Low } from 'lowdb';
import type { AccountStore, Session, UploadKey, User } from '../../ports/account-store.ts';
import { createDurableJsonFile } from './durable-json-file.ts';
import { createGroupCommit } from './group-commit.ts';
import { FORMAT, parseDatabase, type Database } from './parse-database.ts';

const EMPTY: Database = { format: FORMAT, users: {}, sessions: {}, revoked: {}, removals: {}, keys: {} };

/**
 * Accounts in one JSON file, held in memory. Records are keyed by ids that the server makes, never by a name from
 * outside; names have an index of their own.
 *
 * @param path db.json; made at the first change
 */
export async function openLowdbAccountStore(path: string): Promise<AccountStore> {
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
    async createUser(candidate, session, { onlyFirst } = { onlyFirst: false }) {
      const key = nameKey(candidate.username);
      if (onlyFirst && idsByName.size > 0) return 'not_first';
      if (idsByName.has(key)) return 'username_taken';
      const user: User = { ...candidate, role: idsByName.size === 0 ? 'admin' : 'user' };
      idsByName.set(key, user.id);
      const undoUser = set(data.users, user.id, user);
      const undoSession = set(data.sessions, session.id, session);
      await commit(() => {
        undoSession();
        undoUser();
        idsByName.delete(key);
      });
      return user;
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
      return noted.filter((id) => data.removals[id] === 'remove');
    },

    async finishRemoval(userId) {
      await commit(set(data.removals, userId, undefined));
    },

    async createSession(session, expectedHash, max) {
      if (data.users[session.userId]?.passwordHash !== expectedHash) return false;
      const others = sessionsOf(session.userId).toSorted((a, b) => a.lastUsedAt - b.lastUsedAt);
      const ended = removeSessions(others.slice(0, Math.max(0, others.length + 1 - max)));
      await commit(all([...ended, set(data.sessions, session.id, session)]));
      return true;
    },

    async findSession(sessionId) {
      for (;;) {
        const session = data.sessions[sessionId];
        const user = session && data.users[session.userId];
        await settled();
        // Changed meanwhile, or taken back: then what was found is not what is stored.
        if (data.sessions[sessionId] !== session || (session && data.users[session.userId] !== user)) continue;
        return user ? { session, user } : null;
      }
    },

    findAuthorization(sessionId, tokenId) {
      const session = data.sessions[sessionId];
      const user = session && data.users[session.userId];
      return Promise.resolve(user ? { user, session, tokenRevoked: data.revoked[tokenId] !== undefined } : null);
    },

    async rotate(sessionId, from, at) {
      const session = data.sessions[sessionId];
      if (session?.counter !== from) return null;
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

    markSeen(sessionId, counter, at) {
      const session = data.sessions[sessionId];
      if (session?.counter !== counter || (session.seenAt !== null && session.seenAt <= at)) return;
      // Nobody waits for it, and where it cannot be stored the replaced token is answered for longer.
      commit(
        set(data.sessions, sessionId, { ...session, seenAt: at, lastUsedAt: Math.max(session.lastUsedAt, at) }),
      ).catch(() => undefined);
    },

    listSessions(userId) {
      return Promise.resolve(sessionsOf(userId).toSorted((a, b) => b.createdAt - a.createdAt));
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

    async createKey(key, sessionId, max) {
      if (data.sessions[sessionId]?.userId !== key.userId) return 'session_ended';
      if (keysOf(key.userId).length >= max) return 'too_many';
      await commit(set(data.keys, key.id, key));
      return 'created';
    },

    findKey(keyId) {
      const key = data.keys[keyId];
      const user = key && data.users[key.userId];
      return Promise.resolve(user ? { key, user } : null);
    },

    listKeys(userId) {
      return Promise.resolve(keysOf(userId).toSorted((a, b) => b.createdAt - a.createdAt));
    },

    markKeyUsed(keyId, at) {
      const key = data.keys[keyId];
      if (key === undefined || (key.lastUsedAt !== null && key.lastUsedAt >= at)) return;
      // Nobody waits for it, as in markSeen.
      commit(set(data.keys, keyId, { ...key, lastUsedAt: at })).catch(() => undefined);
    },

    async deleteKey(userId, keyId) {
      // As in endSession.
      if (data.keys[keyId]?.userId !== userId) await settled();
      if (data.keys[keyId]?.userId !== userId) return false;
      await commit(set(data.keys, keyId, undefined));
      return true;
    },

    async sweep(now, idleSince, createdBefore) {
      const over = Object.values(data.sessions).filter(
        (session) => session.lastUsedAt < idleSince || session.createdAt < createdBefore,
      );
      const forgotten = Object.entries(data.revoked).filter(([, until]) => until <= now);
      const undos = [...removeSessions(over), ...forgotten.map(([id]) => set(data.revoked, id, undefined))];
      if (undos.length > 0) await commit(all(undos));
    },

    close,
  };
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
