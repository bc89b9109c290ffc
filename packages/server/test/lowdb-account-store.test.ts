import { readFileSync } from 'node:fs';
import { chmod, link, mkdir, open, readdir, readFile, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { openLowdbAccountStore } from '../src/adapters/lowdb/account-store.ts';
import { createGroupCommit } from '../src/adapters/lowdb/group-commit.ts';
import { accountStoreContract, newKey, newSession, newUser } from './contracts/account-store.ts';
import { failReading } from './failing-disk.ts';
import { temporaryFolder } from './test-app.ts';

const newPlace = async () => join(await temporaryFolder(), 'db.json');

accountStoreContract('lowdb', newPlace, openLowdbAccountStore);

describe('db.json', () => {
  test.each([
    ['cut short', '{"format":1,"users":{'],
    ['empty', ''],
    ['of zeros', '\0\0\0\0'],
    ['of null', 'null'],
    ['of a number', '0'],
    ['without its parts', '{"format":1}'],
    ['with users that are none', '{"format":1,"users":{"a":null},"sessions":{},"revoked":{}}'],
    ['with keys that are none', '{"format":1,"users":{},"sessions":{},"revoked":{},"keys":{"k":{"id":"k"}}}'],
    ['of no format', '{}'],
    ['of a newer format', '{"format":2,"users":{},"sessions":{},"revoked":{}}'],
  ])('%s stops the start, is named, and stays as it is', async (_, text) => {
    const path = await newPlace();
    await writeFile(path, text);
    await expect(openLowdbAccountStore(path)).rejects.toMatchObject({
      code: 'data_unreadable',
      message: expect.stringContaining(path) as string,
    });
    expect(await readFile(path, 'utf8')).toBe(text);
  });

  test('that the disk cannot read is damaged: the last good copy is named', async () => {
    const path = await newPlace();
    await writeFile(path, '{}');
    await writeFile(`${path}.previous`, '{}');
    failReading(path);
    await expect(openLowdbAccountStore(path)).rejects.toMatchObject({
      code: 'data_unreadable',
      message: expect.stringContaining(
        `${path} is damaged and has been left as it is. The last good copy is`,
      ) as string,
    });
  });

  test('of a newer format is refused with a sentence that names the last good copy, where there is one', async () => {
    const path = await newPlace();
    await writeFile(path, '{"format":2}');
    const sentence = `${path} has format 2, and this imgup reads format 1: use a newer imgup.`;
    await expect(openLowdbAccountStore(path)).rejects.toMatchObject({ message: sentence });
    await writeFile(`${path}.previous`, '{}');
    const message = `${sentence} The last good copy is ${path}.previous.`;
    await expect(openLowdbAccountStore(path)).rejects.toMatchObject({ code: 'data_unreadable', message });
  });

  test('that was written before there were upload keys is opened, and takes them', async () => {
    const path = await newPlace();
    const before = await openLowdbAccountStore(path);
    await before.createUser(newUser('ada'), newSession('s1', 'id-of-ada'));
    await before.close();
    const { keys: _, removals: __, ...older } = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
    await writeFile(path, JSON.stringify(older));
    const store = await openLowdbAccountStore(path);
    expect(await store.listKeys('id-of-ada')).toEqual([]);
    expect(await store.createKey(newKey('k1', 'id-of-ada'), 's1', 50)).toMatchObject({ id: 'k1' });
    expect(await (await openLowdbAccountStore(path)).listKeys('id-of-ada')).toHaveLength(1);
  });

  test('that is missing beside its last good copy stops the start, so that nobody registers as the first', async () => {
    const path = await newPlace();
    await writeFile(`${path}.previous`, '{}');
    await expect(openLowdbAccountStore(path)).rejects.toMatchObject({
      code: 'data_unreadable',
      message: expect.stringContaining(`${path} is missing. The last good copy is ${path}.previous`) as string,
    });
  });

  test('that cannot be written fails the change and takes it back, and goes on once it can', async () => {
    const path = await newPlace();
    const store = await openLowdbAccountStore(path);
    await store.createUser(newUser('ada'), newSession('s1', 'id-of-ada'));
    // A folder in the way of the new file fails the write for root too, whom no mode stops.
    await mkdir(`${path}.next`);
    const bob = () => store.createUser(newUser('bob'), newSession('s2', 'id-of-bob'));
    const key = newKey('k1', 'id-of-ada');
    const changes = [bob(), store.createKey(key, 's1', 50), store.rotate('s1', 0), store.endSession('s1')];
    const failed = await Promise.allSettled(changes);
    expect(failed.map(({ status }) => status)).toEqual(changes.map(() => 'rejected'));
    expect(await store.findKey('k1')).toBeNull();
    expect(await store.findUserByName('bob')).toBeNull();
    expect((await store.findSession('s1'))?.session.counter).toBe(0);
    // In place of the first.
    await expect(store.createSession(newSession('s3', 'id-of-ada'), '$2b$04$hash', 1)).rejects.toThrow('EISDIR');
    expect((await store.listSessions('id-of-ada')).sessions.map((session) => session.id)).toEqual(['s1']);
    await rm(`${path}.next`, { recursive: true });
    expect(await bob()).toMatchObject({ user: { username: 'bob' } });
    const again = await openLowdbAccountStore(path);
    expect((await again.listUsers()).map((user) => user.username)).toEqual(['ada', 'bob']);
  });

  test('holds the end of a session by the time that anybody is told there is none', async () => {
    const path = await newPlace();
    const store = await openLowdbAccountStore(path);
    await store.createUser(newUser('ada'), newSession('s1', 'id-of-ada'));
    const first = store.endSession('s1');
    const [second, all] = [store.endSession('s1'), store.endSessions('id-of-ada', null)];
    const stored = async () => (await (await openLowdbAccountStore(path)).findSession('s1')) !== null;
    expect([await second, await stored()]).toEqual([false, false]);
    expect([await all, await first]).toEqual([0, true]);
  });

  test('holds a rotation by the time that the session is found rotated', async () => {
    const path = await newPlace();
    const store = await openLowdbAccountStore(path);
    await store.createUser(newUser('ada'), newSession('s1', 'id-of-ada'));
    const rotation = store.rotate('s1', 0);
    const found = await store.findSession('s1');
    // Read at once: a moment later the file holds it in any case.
    const { sessions } = JSON.parse(readFileSync(path, 'utf8')) as { sessions: { s1: { counter: number } } };
    expect([found?.session.counter, sessions.s1.counter]).toEqual([1, 1]);
    await rotation;
  });

  test('holds a removal by the time that it is listed, since one that is taken back must not cost the pictures', async () => {
    const path = await newPlace();
    const store = await openLowdbAccountStore(path);
    for (const name of ['ada', 'bob']) await store.createUser(newUser(name), newSession(name, `id-of-${name}`));
    const removal = store.deleteUser('id-of-bob', true);
    const listed = await store.listRemovals();
    const { removals } = JSON.parse(readFileSync(path, 'utf8')) as { removals: object };
    expect([listed, removals]).toEqual([[{ userId: 'id-of-bob', settled: false }], { 'id-of-bob': 'remove' }]);
    await removal;
    // No upload outlives the server that has received it.
    expect(await (await openLowdbAccountStore(path)).listRemovals()).toEqual([{ userId: 'id-of-bob', settled: true }]);
  });

  test('is opened without what an interrupted write has left', async () => {
    const path = await newPlace();
    const store = await openLowdbAccountStore(path);
    await store.createUser(newUser('ada'), newSession('s1', 'id-of-ada'));
    await store.endSession('s1');
    await writeFile(`${path}.next`, 'half');
    await link(path, `${path}.previous.next`);
    await openLowdbAccountStore(path);
    expect((await readdir(dirname(path))).toSorted()).toEqual(['db.json', 'db.json.previous']);
  });

  test('keeps no draft where a kill left it and its last good copy names of one file', async () => {
    const path = await newPlace();
    const store = await openLowdbAccountStore(path);
    await store.createUser(newUser('ada'), newSession('s1', 'id-of-ada'));
    await link(path, `${path}.previous`);
    const again = await openLowdbAccountStore(path);
    await again.endSession('s1');
    expect((await readdir(dirname(path))).toSorted()).toEqual(['db.json', 'db.json.previous']);
  });

  test('is made durable when it is opened: an interrupted server may have renamed it and come no further', async () => {
    const path = await newPlace();
    const file = await open(dirname(path));
    const prototype = Object.getPrototypeOf(file) as FileHandle;
    await file.close();
    const synced: number[] = [];
    const disk = vi.spyOn(prototype, 'sync').mockImplementation(async function (this: FileHandle) {
      synced.push((await this.stat()).ino);
    });
    onTestFinished(() => disk.mockRestore());
    await openLowdbAccountStore(path);
    expect(synced).toEqual([(await stat(dirname(path))).ino]);
  });

  test('is readable by its owner alone, even after it was opened to others', async () => {
    const path = await newPlace();
    const store = await openLowdbAccountStore(path);
    await store.createUser(newUser('ada'), newSession('s1', 'id-of-ada'));
    await chmod(path, 0o644);
    await store.endSession('s1');
    const { mode } = await stat(path);
    expect(mode & 0o777).toBe(0o600);
  });
});

describe('group commit', () => {
  test('lets all changes that come during a write share the next one', async () => {
    const finish: (() => void)[] = [];
    const { commit, settled } = createGroupCommit(() => new Promise((resolve) => finish.push(resolve)));
    const changes = [commit(() => undefined)];
    for (let change = 0; change < 100; change += 1) changes.push(commit(() => undefined));
    expect(finish).toHaveLength(1);
    finish[0]?.();
    await changes[0];
    await Promise.resolve();
    expect(finish).toHaveLength(2);
    finish[1]?.();
    await Promise.all(changes);
    await settled();
    expect(finish).toHaveLength(2);
  });

  test('settles once what was changed before is stored, however much is changed after', async () => {
    const finish: (() => void)[] = [];
    const { commit, settled } = createGroupCommit(() => new Promise((resolve) => finish.push(resolve)));
    const before = commit(() => undefined);
    let isSettled = false;
    const settling = settled().then(() => {
      isSettled = true;
    });
    const after = commit(() => undefined);
    await Promise.resolve();
    expect(isSettled).toBe(false);
    finish[0]?.();
    await Promise.all([before, settling]);
    expect(finish).toHaveLength(2);
    finish[1]?.();
    await after;
  });

  test('undoes a failed write and what came on top of it, in reverse order', async () => {
    const undone: number[] = [];
    const { commit } = createGroupCommit(() => Promise.reject(new Error('no disk')));
    const changes = [1, 2, 3].map((change) => commit(() => undone.push(change)));
    const results = await Promise.allSettled(changes);
    expect(results.every(({ status }) => status === 'rejected')).toBe(true);
    expect(undone).toEqual([3, 2, 1]);
  });

  test('takes what was refused off the disk before it is closed', async () => {
    let state = 'first';
    let stored = state;
    const write = vi.fn<() => Promise<void>>(async () => {
      stored = state;
      await Promise.resolve();
      if (write.mock.calls.length === 1) throw new Error('the fsync of the folder failed');
    });
    const { commit, close } = createGroupCommit(write);
    state = 'second';
    await expect(commit(() => (state = 'first'))).rejects.toThrow('fsync');
    expect(stored).toBe('second');
    await close();
    expect(stored).toBe('first');
  });
});
