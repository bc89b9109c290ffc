import { describe, expect, onTestFinished, test } from 'vitest';
import type { AccountStore, Session, UploadKey, User } from '../../src/ports/account-store.ts';

/** Opens the store that `place` names: the same place holds the same accounts. */
export type OpenAccountStore = (place: string) => Promise<AccountStore>;

export function newUser(username: string): Omit<User, 'role'> {
  return { id: `id-of-${username.toLowerCase()}`, username, passwordHash: '$2b$04$hash', createdAt: 1000 };
}

export function newSession(id: string, userId: string): Session {
  const at = 1000;
  return { id, userId, counter: 0, seenAt: null, rotatedAt: at, createdAt: at, lastUsedAt: at, device: null };
}

export function newKey(id: string, userId: string): UploadKey {
  return { id, userId, name: 'a tool', hash: 'ab'.repeat(32), createdAt: 1000, lastUsedAt: null };
}

/** What every account store promises. */
export function accountStoreContract(adapter: string, newPlace: () => Promise<string>, open: OpenAccountStore): void {
  async function opened(): Promise<{ store: AccountStore; reopen: () => Promise<AccountStore> }> {
    const place = await newPlace();
    const store = await open(place);
    onTestFinished(() => store.close());
    const reopen = async () => {
      const other = await open(place);
      onTestFinished(() => other.close());
      return other;
    };
    return { store, reopen };
  }

  async function withAda() {
    const { store, reopen } = await opened();
    const ada = await store.createUser(newUser('Ada'), newSession('s1', 'id-of-ada'));
    if (typeof ada === 'string') throw new Error(`refused in an empty store: ${ada}`);
    return { store, reopen, ada };
  }

  describe(`the ${adapter} account store`, () => {
    test('keeps a user with their first session, and makes the first one administrator', async () => {
      const { reopen, ada } = await withAda();
      expect(ada.role).toBe('admin');
      const again = await reopen();
      expect(await again.findUserByName('aDA')).toEqual(ada);
      expect(await again.findSession('s1')).toEqual({ session: newSession('s1', ada.id), user: ada });
      const bob = await again.createUser(newUser('bob'), newSession('s2', 'id-of-bob'));
      expect(bob).toMatchObject({ role: 'user' });
      expect((await again.listUsers()).map((user) => user.username)).toEqual(['Ada', 'bob']);
    });

    test('gives a name to one user only, whatever its case, and leaves no session of the other', async () => {
      const { store } = await withAda();
      const candidates = ['ADA', 'bob', 'BOB', 'Bob'].map((name, index) =>
        store.createUser({ ...newUser(name), id: `u${index}` }, newSession(`t${index}`, `u${index}`)),
      );
      const created = await Promise.all(candidates);
      expect(created.filter((user) => user !== 'username_taken')).toHaveLength(1);
      expect(created[0]).toBe('username_taken');
      expect(await store.findSession('t0')).toBeNull();
    });

    test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('knows no %s by itself', async (name) => {
      const { store } = await withAda();
      expect(await store.findUserByName(name)).toBeNull();
      expect(await store.findSession(name)).toBeNull();
      expect(await store.findKey(name)).toBeNull();
      expect(await store.deleteKey('id-of-ada', name)).toBe(false);
      expect((await store.findAuthorization('s1', name))?.tokenRevoked).toBe(false);
      const user = await store.createUser(newUser(name), newSession('s2', `id-of-${name.toLowerCase()}`));
      expect(user).toMatchObject({ role: 'user' });
    });

    test('adds a first user only once where it is told so, and leaves no session of the other', async () => {
      const { store } = await opened();
      const add = (name: string, onlyFirst: boolean) =>
        store.createUser(newUser(name), newSession(`s-${name}`, `id-of-${name}`), { onlyFirst });
      const both = await Promise.all([add('ada', true), add('bob', true)]);
      expect(both).toEqual([expect.objectContaining({ role: 'admin' }), 'not_first']);
      expect(await store.findSession('s-bob')).toBeNull();
      expect(await add('bob', false)).toMatchObject({ role: 'user' });
    });

    test('rotates a session once for each counter, however many ask at once', async () => {
      const { store, reopen } = await withAda();
      const rotations = await Promise.all(Array.from({ length: 50 }, () => store.rotate('s1', 0, 5000)));
      const done = rotations.filter((session) => session !== null);
      expect(done).toHaveLength(1);
      expect(done[0]).toMatchObject({ counter: 1, seenAt: null, rotatedAt: 5000, lastUsedAt: 5000 });
      expect((await (await reopen()).findSession('s1'))?.session).toEqual(done[0]);
      expect(await store.rotate('nothing', 0, 5000)).toBeNull();
    });

    test('marks the newest generation as seen once, and no other', async () => {
      const { store } = await withAda();
      const seenAt = async () => (await store.findSession('s1'))?.session.seenAt;
      store.markSeen('s1', 3, 2000);
      expect(await seenAt()).toBeNull();
      store.markSeen('s1', 0, 2000);
      store.markSeen('s1', 0, 3000);
      expect(await seenAt()).toBe(2000);
      // The clock has been set back.
      store.markSeen('s1', 0, 1500);
      expect(await seenAt()).toBe(1500);
      await store.rotate('s1', 0, 4000);
      expect(await seenAt()).toBeNull();
    });

    test('keeps the time of the last use when the clock goes back', async () => {
      const { store } = await withAda();
      await store.rotate('s1', 0, 9000);
      store.markSeen('s1', 1, 10);
      await store.rotate('s1', 1, 20);
      expect((await store.findSession('s1'))?.session).toMatchObject({ counter: 2, rotatedAt: 20, lastUsedAt: 9000 });
    });

    test('ends a session, and adds none to a user who is gone', async () => {
      const { store, reopen } = await withAda();
      expect(await store.endSession('s1')).toBe(true);
      expect(await store.endSession('s1')).toBe(false);
      expect(await store.rotate('s1', 0, 1)).toBeNull();
      expect(await (await reopen()).findSession('s1')).toBeNull();
      expect(await store.createSession(newSession('s3', 'nobody'), '$2b$04$hash', 9)).toBe(false);
    });

    test('adds a session in place of those not used for longest, of the same user, where there are the most', async () => {
      const { store, reopen, ada } = await withAda();
      await store.createUser(newUser('bob'), newSession('b1', 'id-of-bob'));
      const add = (id: string, lastUsedAt: number, max: number) =>
        store.createSession({ ...newSession(id, ada.id), lastUsedAt }, '$2b$04$hash', max);
      const left = async () => {
        const ids = (await (await reopen()).listSessions(ada.id)).map(({ id }) => id);
        return ids.toSorted();
      };
      await add('s2', 500, 3);
      await add('s3', 3000, 3);
      await store.rotate('s1', 0, 4000);
      // The new one stays, even where the clock has been set back.
      expect(await add('s4', 10, 3)).toBe(true);
      expect(await left()).toEqual(['s1', 's3', 's4']);
      await Promise.all(Array.from({ length: 10 }, (_, index) => add(`t${index}`, 5000 + index, 3)));
      expect(await left()).toEqual(['t7', 't8', 't9']);
      expect(await add('t10', 6000, 1)).toBe(true);
      expect(await left()).toEqual(['t10']);
      expect(await store.findSession('b1')).not.toBeNull();
    });

    test('changes a password only for a session that lives, and only from the hash that was compared with', async () => {
      const { store } = await withAda();
      const session = newSession('s1', 'id-of-ada');
      expect(await store.setPassword(session, 'another hash', 'new')).toBe(false);
      expect(await store.setPassword(newSession('ended', 'id-of-ada'), '$2b$04$hash', 'new')).toBe(false);
      const both = ['new', 'newer'].map((hash) => store.setPassword(session, '$2b$04$hash', hash));
      expect(await Promise.all(both)).toEqual([true, false]);
      expect((await store.findUser('id-of-ada'))?.passwordHash).toBe('new');
      expect(await store.createSession(newSession('late', 'id-of-ada'), '$2b$04$hash', 9)).toBe(false);
      expect(await store.createSession(newSession('right', 'id-of-ada'), 'new', 9)).toBe(true);
    });

    test('remembers a revoked access token until it may be forgotten', async () => {
      const { store, reopen } = await withAda();
      await store.revokeAccessToken('t1', 9000);
      expect((await store.findAuthorization('s1', 't1'))?.tokenRevoked).toBe(true);
      expect((await store.findAuthorization('s1', 't2'))?.tokenRevoked).toBe(false);
      await store.sweep(8999, 0, 0);
      expect((await (await reopen()).findAuthorization('s1', 't1'))?.tokenRevoked).toBe(true);
      await store.sweep(9000, 0, 0);
      expect((await (await reopen()).findAuthorization('s1', 't1'))?.tokenRevoked).toBe(false);
    });

    test('keeps an upload key until it is deleted, by its user alone', async () => {
      const { store, reopen, ada } = await withAda();
      const [first, second] = [newKey('k1', ada.id), { ...newKey('k2', ada.id), createdAt: 2000 }];
      expect(await store.createKey(first, 's1', 50)).toBe('created');
      expect(await store.createKey(second, 's1', 50)).toBe('created');
      const again = await reopen();
      expect(await again.findKey('k1')).toEqual({ key: first, user: ada });
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
      expect(results).toEqual(ids.map((_, index) => (index < 3 ? 'created' : 'too_many')));
      expect(await store.listKeys(ada.id)).toHaveLength(3);
      expect(await store.createKey(newKey('k20', 'id-of-bob'), 's2', 3)).toBe('created');
    });

    test('keeps upload keys when sessions end and the password is changed, and none of a removed user', async () => {
      const { store, reopen, ada } = await withAda();
      await store.createUser(newUser('bob'), newSession('s2', 'id-of-bob'));
      await store.createKey(newKey('k1', 'id-of-bob'), 's2', 50);
      await store.createKey(newKey('k2', ada.id), 's1', 50);
      await store.setPassword(newSession('s2', 'id-of-bob'), '$2b$04$hash', 'new');
      await store.endSessions('id-of-bob', null);
      await store.sweep(1e15, 1e15, 1e15);
      expect((await store.findKey('k1'))?.user.username).toBe('bob');
      await store.deleteUser('id-of-bob', true);
      expect(await store.findKey('k1')).toBeNull();
      const again = await reopen();
      expect([await again.findKey('k1'), await again.listKeys('id-of-bob')]).toEqual([null, []]);
      expect(await again.listKeys(ada.id)).toHaveLength(1);
    });

    test('notes when an upload key was used, and never an earlier time', async () => {
      const { store, reopen, ada } = await withAda();
      await store.createKey(newKey('k1', ada.id), 's1', 50);
      store.markKeyUsed('k1', 5000);
      store.markKeyUsed('k1', 4000);
      store.markKeyUsed('unknown', 5000);
      expect((await store.findKey('k1'))?.key.lastUsedAt).toBe(5000);
      // Which is stored after what was noted before.
      await store.revokeAccessToken('t1', 9000);
      expect((await (await reopen()).findKey('k1'))?.key.lastUsedAt).toBe(5000);
    });

    test('sweeps sessions that are idle or old, and no others', async () => {
      const { store } = await withAda();
      await store.createSession({ ...newSession('idle', 'id-of-ada'), lastUsedAt: 100 }, '$2b$04$hash', 9);
      await store.createSession({ ...newSession('old', 'id-of-ada'), createdAt: 10 }, '$2b$04$hash', 9);
      await store.sweep(1000, 101, 11);
      const left = ['s1', 'idle', 'old'].map(async (id) => (await store.findSession(id)) !== null);
      expect(await Promise.all(left)).toEqual([true, false, false]);
    });
  });
}
