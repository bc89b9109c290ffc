import { describe, expect, onTestFinished, test } from 'vitest';
import type {
  AccountStore,
  NewSession,
  NewUploadKey,
  NewUser,
  Session,
  UploadKey,
} from '../../src/ports/account-store.ts';

/** Opens the store that `place` names: the same place holds the same accounts. */
export type OpenAccountStore = (place: string, now: () => number) => Promise<AccountStore>;

export function newUser(username: string): NewUser {
  return { id: `id-of-${username.toLowerCase()}`, username, passwordHash: '$2b$04$hash' };
}

export function newSession(id: string, userId: string): NewSession {
  return { id, userId, device: null };
}

export function newKey(id: string, userId: string): NewUploadKey {
  return { id, userId, name: 'a tool', hash: 'ab'.repeat(32) };
}

const START = 1000;
const LONG = 1e15;

function begun(session: NewSession, at: number): Session {
  return { ...session, counter: 0, seenAt: null, rotatedAt: at, createdAt: at, lastUsedAt: at };
}

function made(key: NewUploadKey, at: number): UploadKey {
  return { ...key, createdAt: at, lastUsedAt: null };
}

/** What every account store promises. */
export function accountStoreContract(adapter: string, newPlace: () => Promise<string>, open: OpenAccountStore): void {
  async function opened() {
    const place = await newPlace();
    const clock = { now: START };
    const reopen = async (): Promise<AccountStore> => {
      const store = await open(place, () => clock.now);
      onTestFinished(() => store.close());
      return store;
    };
    return { store: await reopen(), reopen, clock };
  }

  async function withAda() {
    const all = await opened();
    const created = await all.store.createUser(newUser('Ada'), newSession('s1', 'id-of-ada'));
    if (typeof created === 'string') throw new Error(`refused in an empty store: ${created}`);
    return { ...all, ada: created.user };
  }

  describe(`the ${adapter} account store`, () => {
    test('keeps a user with their first session, and makes the first one administrator', async () => {
      const { reopen, ada, clock } = await withAda();
      expect(ada).toEqual({ ...newUser('Ada'), role: 'admin', createdAt: START });
      const again = await reopen();
      clock.now += 500;
      expect(await again.findUserByName('aDA')).toEqual(ada);
      const session = begun(newSession('s1', ada.id), START);
      expect(await again.findSession('s1')).toEqual({ session, user: ada, at: START + 500 });
      const bob = await again.createUser(newUser('bob'), { ...newSession('s2', 'id-of-bob'), device: 'büro' });
      expect(bob).toEqual({
        user: { ...newUser('bob'), role: 'user', createdAt: START + 500 },
        session: { ...begun(newSession('s2', 'id-of-bob'), START + 500), device: 'büro' },
      });
      expect((await again.listUsers()).map((user) => user.username)).toEqual(['Ada', 'bob']);
    });

    test('gives a name to one user only, whatever its case, and leaves no session of the other', async () => {
      const { store } = await withAda();
      const candidates = ['ADA', 'bob', 'BOB', 'Bob'].map((name, index) =>
        store.createUser({ ...newUser(name), id: `u${index}` }, newSession(`t${index}`, `u${index}`)),
      );
      const created = await Promise.all(candidates);
      expect(created.filter((result) => result !== 'username_taken')).toHaveLength(1);
      expect(created[0]).toBe('username_taken');
      const sessions = await Promise.all([0, 1, 2, 3].map((index) => store.findSession(`t${index}`)));
      expect(sessions.map((found) => found !== null)).toEqual(created.map((result) => result !== 'username_taken'));
    });

    test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('knows no %s by itself', async (name) => {
      const { store } = await withAda();
      expect(await store.findUserByName(name)).toBeNull();
      expect(await store.findSession(name)).toBeNull();
      expect(await store.findKey(name)).toBeNull();
      expect(await store.deleteKey('id-of-ada', name)).toBe(false);
      expect((await store.findAuthorization('s1', name))?.tokenRevoked).toBe(false);
      const user = await store.createUser(newUser(name), newSession('s2', `id-of-${name.toLowerCase()}`));
      expect(user).toMatchObject({ user: { role: 'user' } });
    });

    test.each(['\0', 'ada\0', '\uD800', 'x'.repeat(100_000)])('finds nothing by the text %j', async (text) => {
      const { store } = await withAda();
      expect([await store.findUserByName(text), await store.findSession(text), await store.findKey(text)]).toEqual([
        null,
        null,
        null,
      ]);
      expect([await store.endSession(text), await store.deleteKey('id-of-ada', text)]).toEqual([false, false]);
    });

    test('makes one administrator of many who register at once in an empty store', async () => {
      const { store } = await opened();
      const names = Array.from({ length: 10 }, (_, index) => `user${index}`);
      // Where there are connections, they are there before, or one would be first for having connected first.
      await Promise.all(names.map((name) => store.findUserByName(name)));
      const created = await Promise.all(
        names.map((name) => store.createUser(newUser(name), newSession(`s-${name}`, `id-of-${name}`))),
      );
      const roles = created.map((result) => typeof result === 'object' && result.user.role);
      expect(roles.toSorted()).toEqual(['admin', ...Array.from({ length: 9 }, () => 'user')]);
    });

    test('adds a first user only once where it is told so, and leaves no session of the other', async () => {
      const { store } = await opened();
      const add = (name: string, onlyFirst: boolean) =>
        store.createUser(newUser(name), newSession(`s-${name}`, `id-of-${name}`), { onlyFirst });
      const both = await Promise.all([add('ada', true), add('bob', true)]);
      expect(both.filter((result) => result === 'not_first')).toHaveLength(1);
      const [late, first] = both[0] === 'not_first' ? ['ada', 'bob'] : ['bob', 'ada'];
      expect((await store.findUserByName(first))?.role).toBe('admin');
      expect(await store.findSession(`s-${late}`)).toBeNull();
      expect(await add(late, false)).toMatchObject({ user: { role: 'user' } });
    });

    test('rotates a session once for each counter, however many ask at once', async () => {
      const { store, reopen, clock } = await withAda();
      clock.now = 5000;
      const rotations = await Promise.all(Array.from({ length: 50 }, () => store.rotate('s1', 0)));
      const done = rotations.filter((session) => session !== null);
      expect(done).toHaveLength(1);
      expect(done[0]).toMatchObject({ counter: 1, seenAt: null, rotatedAt: 5000, lastUsedAt: 5000 });
      expect((await (await reopen()).findSession('s1'))?.session).toEqual(done[0]);
      expect(await store.rotate('nothing', 0)).toBeNull();
    });

    test('marks the newest generation as seen once, and no other', async () => {
      const { store, clock } = await withAda();
      const seenAt = async () => (await store.findSession('s1'))?.session.seenAt;
      const markSeenAt = (at: number, counter: number) => {
        clock.now = at;
        return store.markSeen('s1', counter);
      };
      await markSeenAt(2000, 3);
      expect(await seenAt()).toBeNull();
      await markSeenAt(2000, 0);
      await markSeenAt(3000, 0);
      expect(await seenAt()).toBe(2000);
      // The clock has been set back.
      await markSeenAt(1500, 0);
      expect(await seenAt()).toBe(1500);
      clock.now = 4000;
      await store.rotate('s1', 0);
      expect(await seenAt()).toBeNull();
      await markSeenAt(5000, 0);
      expect(await seenAt()).toBeNull();
    });

    test('keeps the time of the last use when the clock goes back', async () => {
      const { store, clock } = await withAda();
      clock.now = 9000;
      await store.rotate('s1', 0);
      clock.now = 10;
      await store.markSeen('s1', 1);
      clock.now = 20;
      await store.rotate('s1', 1);
      expect((await store.findSession('s1'))?.session).toMatchObject({ counter: 2, rotatedAt: 20, lastUsedAt: 9000 });
    });

    test('ends a session, and adds none to a user who is gone', async () => {
      const { store, reopen } = await withAda();
      expect(await store.endSession('s1')).toBe(true);
      expect(await store.endSession('s1')).toBe(false);
      expect(await store.rotate('s1', 0)).toBeNull();
      await store.markSeen('s1', 0);
      expect(await (await reopen()).findSession('s1')).toBeNull();
      expect(await store.createSession(newSession('s3', 'nobody'), '$2b$04$hash', 9)).toBeNull();
    });

    test('adds a session in place of those not used for longest, of the same user, where there are the most', async () => {
      const { store, reopen, ada, clock } = await withAda();
      await store.createUser(newUser('bob'), newSession('b1', 'id-of-bob'));
      const add = (id: string, at: number, max: number) => {
        clock.now = at;
        return store.createSession(newSession(id, ada.id), '$2b$04$hash', max);
      };
      const left = async () => {
        const { sessions } = await (await reopen()).listSessions(ada.id);
        return sessions.map(({ id }) => id);
      };
      await add('s2', 500, 3);
      await add('s3', 3000, 3);
      clock.now = 4000;
      await store.rotate('s1', 0);
      // The new one stays, even where the clock has been set back.
      expect(await add('s4', 10, 3)).toEqual(begun(newSession('s4', ada.id), 10));
      expect(await left()).toEqual(['s3', 's1', 's4']);
      const ids = Array.from({ length: 10 }, (_, index) => `t${index}`);
      const added = await Promise.all(ids.map((id) => add(id, 5000, 3)));
      expect(added.every((session) => session !== null)).toBe(true);
      const three = await left();
      expect(three).toHaveLength(3);
      expect(three.every((id) => ids.includes(id))).toBe(true);
      expect(await add('t10', 6000, 1)).not.toBeNull();
      expect(await left()).toEqual(['t10']);
      expect(await store.findSession('b1')).not.toBeNull();
    });

    test("lists a user's sessions, the latest log-in first, and its time", async () => {
      const { store, ada, clock } = await withAda();
      clock.now = 2000;
      await store.createSession(newSession('s2', ada.id), '$2b$04$hash', 9);
      clock.now = 3000;
      await store.rotate('s1', 0);
      const { sessions, at } = await store.listSessions(ada.id);
      expect([sessions.map(({ id }) => id), at]).toEqual([['s2', 's1'], 3000]);
      expect((await store.listSessions('nobody')).sessions).toEqual([]);
    });

    test('ends all sessions of a user, or all but one, and says how many', async () => {
      const { store, ada } = await withAda();
      await store.createUser(newUser('bob'), newSession('b1', 'id-of-bob'));
      for (const id of ['s2', 's3']) await store.createSession(newSession(id, ada.id), '$2b$04$hash', 9);
      expect(await store.endSessions(ada.id, 's2')).toBe(2);
      expect(await store.endSessions(ada.id, 's2')).toBe(0);
      expect(await store.findSession('s2')).not.toBeNull();
      expect(await store.endSessions(ada.id, null)).toBe(1);
      expect(await store.findSession('b1')).not.toBeNull();
    });

    test('removes a user with all that is theirs, and notes whose pictures are to go', async () => {
      const { store, reopen, ada } = await withAda();
      for (const name of ['bob', 'carol']) await store.createUser(newUser(name), newSession(name, `id-of-${name}`));
      expect(await store.deleteUser('nobody', true)).toBe('not_found');
      expect(await store.deleteUser(ada.id, true)).toBe('last_admin');
      expect(await store.deleteUser('id-of-bob', true)).toBe('deleted');
      expect(await store.deleteUser('id-of-carol', false)).toBe('deleted');
      expect(await store.deleteUser('id-of-bob', true)).toBe('not_found');
      expect([await store.findUser('id-of-bob'), await store.findSession('bob')]).toEqual([null, null]);
      // One who is removed just now may have an upload under way.
      expect(await store.listRemovals()).toEqual([{ userId: 'id-of-bob', settled: false }]);
      await store.finishRemoval('id-of-bob');
      expect(await (await reopen()).listRemovals()).toEqual([]);
      expect(await store.createUser(newUser('BOB'), newSession('b2', 'id-of-bob'))).toMatchObject({
        user: { role: 'user' },
      });
    });

    test('changes a password only for a session that lives, and only from the hash that was compared with', async () => {
      const { store } = await withAda();
      const session = newSession('s1', 'id-of-ada');
      expect(await store.setPassword(session, 'another hash', 'new')).toBe(false);
      expect(await store.setPassword(newSession('ended', 'id-of-ada'), '$2b$04$hash', 'new')).toBe(false);
      const both = ['new', 'newer'].map((hash) => store.setPassword(session, '$2b$04$hash', hash));
      const changed = await Promise.all(both);
      expect(changed.toSorted()).toEqual([false, true]);
      const hash = changed[0] ? 'new' : 'newer';
      expect((await store.findUser('id-of-ada'))?.passwordHash).toBe(hash);
      expect(await store.createSession(newSession('late', 'id-of-ada'), '$2b$04$hash', 9)).toBeNull();
      expect(await store.createSession(newSession('right', 'id-of-ada'), hash, 9)).not.toBeNull();
    });

    test('leaves no session of the old password when a log-in and a change of the password meet', async () => {
      const { store } = await withAda();
      let hash = '$2b$04$hash';
      for (let round = 0; round < 20; round += 1) {
        const before = hash;
        hash = `hash ${round}`;
        const logins = Array.from({ length: 6 }, (_, index) =>
          store.createSession(newSession(`s${round}-${index}`, 'id-of-ada'), before, 99),
        );
        const change = store.setPassword(newSession('s1', 'id-of-ada'), before, hash);
        await Promise.all([...logins, change]);
        const { sessions } = await store.listSessions('id-of-ada');
        expect(sessions.map(({ id }) => id)).toEqual(['s1']);
      }
    });

    test('remembers a revoked access token until it may be forgotten', async () => {
      const { store, reopen, clock } = await withAda();
      await store.revokeAccessToken('t1', 9000);
      await store.revokeAccessToken('t1', 9000);
      expect((await store.findAuthorization('s1', 't1'))?.tokenRevoked).toBe(true);
      expect((await store.findAuthorization('s1', 't2'))?.tokenRevoked).toBe(false);
      clock.now = 8999;
      await store.sweep({ idle: LONG, absolute: LONG });
      expect(await (await reopen()).findAuthorization('s1', 't1')).toMatchObject({ tokenRevoked: true, at: 8999 });
      clock.now = 9000;
      await store.sweep({ idle: LONG, absolute: LONG });
      expect((await (await reopen()).findAuthorization('s1', 't1'))?.tokenRevoked).toBe(false);
    });

    test('keeps an upload key until it is deleted, by its user alone', async () => {
      const { store, reopen, ada, clock } = await withAda();
      const first = made(newKey('k1', ada.id), START);
      expect(await store.createKey(newKey('k1', ada.id), 's1', 50)).toEqual(first);
      clock.now = 2000;
      const second = made(newKey('k2', ada.id), 2000);
      expect(await store.createKey(newKey('k2', ada.id), 's1', 50)).toEqual(second);
      const again = await reopen();
      expect(await again.findKey('k1')).toEqual({ key: first, user: ada, at: 2000 });
      expect(await again.listKeys(ada.id)).toEqual([second, first]);
      expect(await again.listKeys('id-of-bob')).toEqual([]);
      expect(await again.deleteKey('id-of-bob', 'k1')).toBe(false);
      expect([await again.deleteKey(ada.id, 'k1'), await again.deleteKey(ada.id, 'k1')]).toEqual([true, false]);
      expect(await again.findKey('k1')).toBeNull();
      expect(await (await reopen()).listKeys(ada.id)).toEqual([second]);
    });

    test('adds an upload key for a session that lives, and never more than the most, however many ask', async () => {
      const { store, ada } = await withAda();
      await store.createUser(newUser('bob'), newSession('s2', 'id-of-bob'));
      expect(await store.createKey(newKey('k0', ada.id), 'ended', 3)).toBe('session_ended');
      expect(await store.createKey(newKey('k0', ada.id), 's2', 3)).toBe('session_ended');
      const ids = Array.from({ length: 10 }, (_, index) => `k${index}`);
      const results = await Promise.all(ids.map((id) => store.createKey(newKey(id, ada.id), 's1', 3)));
      expect(results.filter((result) => result === 'too_many')).toHaveLength(7);
      expect(results.filter((result) => typeof result === 'object')).toHaveLength(3);
      expect(await store.listKeys(ada.id)).toHaveLength(3);
      expect(await store.createKey(newKey('k20', 'id-of-bob'), 's2', 3)).toMatchObject({ id: 'k20' });
    });

    test('keeps upload keys when sessions end and the password is changed, and none of a removed user', async () => {
      const { store, reopen, ada } = await withAda();
      await store.createUser(newUser('bob'), newSession('s2', 'id-of-bob'));
      await store.createKey(newKey('k1', 'id-of-bob'), 's2', 50);
      await store.createKey(newKey('k2', ada.id), 's1', 50);
      await store.setPassword(newSession('s2', 'id-of-bob'), '$2b$04$hash', 'new');
      await store.endSessions('id-of-bob', null);
      await store.sweep({ idle: -1, absolute: -1 });
      expect((await store.findKey('k1'))?.user.username).toBe('bob');
      await store.deleteUser('id-of-bob', true);
      expect(await store.findKey('k1')).toBeNull();
      const again = await reopen();
      expect([await again.findKey('k1'), await again.listKeys('id-of-bob')]).toEqual([null, []]);
      expect(await again.listKeys(ada.id)).toHaveLength(1);
    });

    test('notes when an upload key was used, and never an earlier time', async () => {
      const { store, reopen, ada, clock } = await withAda();
      await store.createKey(newKey('k1', ada.id), 's1', 50);
      clock.now = 5000;
      await store.markKeyUsed('k1');
      clock.now = 4000;
      await store.markKeyUsed('k1');
      await store.markKeyUsed('unknown');
      expect((await store.findKey('k1'))?.key.lastUsedAt).toBe(5000);
      expect((await (await reopen()).findKey('k1'))?.key.lastUsedAt).toBe(5000);
    });

    test('sweeps sessions that are idle or old, and no others, several at once too', async () => {
      const { store, ada, clock } = await withAda();
      const add = (id: string, at: number) => {
        clock.now = at;
        return store.createSession(newSession(id, ada.id), '$2b$04$hash', 99);
      };
      await add('old', 10);
      clock.now = 1000;
      await store.rotate('old', 0);
      await add('idle', 100);
      clock.now = 1001;
      await store.rotate('s1', 0);
      const left = async () => (await store.listSessions(ada.id)).sessions.map(({ id }) => id);
      await store.sweep({ idle: 901, absolute: 991 });
      expect(await left()).toEqual(['s1', 'idle', 'old']);
      await Promise.all([1, 2, 3].map(() => store.sweep({ idle: 900, absolute: 990 })));
      expect(await left()).toEqual(['s1']);
    });

    test('says that it can be read', async () => {
      const { store } = await opened();
      await expect(store.check()).resolves.toBeUndefined();
    });
  });
}
