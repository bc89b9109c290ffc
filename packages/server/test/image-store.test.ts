import fs, { readdir, stat, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join, relative } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ImageRecord } from '../src/ports/image-store.ts';
import { failReading, watchSyncs } from './failing-disk.ts';
import { watchFileCalls } from './file-calls.ts';
import { DUE, ignore, openStore, recordOf } from './filesystem-store.ts';
import { eventually } from './eventually.ts';

describe('the sweep of expired pictures', () => {
  test('goes on past a damaged record, says so, and tries it again the next time', async () => {
    const { data, store, put, home } = await openStore();
    for (const [id, content] of [
      ['7a', 'a'],
      ['7b', 'b'],
    ] as const) {
      await put(recordOf(id, content, DUE));
    }
    await writeFile(join(home, '7a.json'), '\0\0');
    for (let time = 1; time <= 2; time += 1) {
      const failures = await store.sweepExpired(DUE, ignore);
      expect(failures).toMatchObject([{ cause: { message: expect.stringContaining('7a.json is damaged') as string } }]);
    }
    expect((await readdir(home)).toSorted()).toEqual(['7a.json', '7a.png', 'by-digest']);
    expect(await readdir(join(data, 'expiring', '2026-01-01T12'))).toEqual(['ada.7a']);
  });

  test('does not remove a picture that an upload under way puts off', async () => {
    const { store, put, receive } = await openStore();
    await put(recordOf('7a', 'a', DUE));
    const file = await receive();
    // The upload comes first, and is not yet done when the sweep looks at the picture.
    const [result, failures] = await Promise.all([
      store.put(recordOf('7b', 'a'), file, DUE - 1, { quota: null }),
      store.sweepExpired(DUE, ignore),
    ]);
    expect(result).toMatchObject({ outcome: 'known', record: { id: '7a', expiresAt: null } });
    expect(failures).toEqual([]);
    expect(await store.head('ada', '7a')).toMatchObject({ expiresAt: null });
  });
});

test('an upload that puts a picture off, and a DELETE that comes while it does, leave no half of it', async () => {
  const { store, put, receive, home } = await openStore();
  await put(recordOf('7a', 'a', DUE));
  const file = await receive();
  (await watchSyncs()).delayNext();
  const [result, removed] = await Promise.all([
    store.put(recordOf('7b', 'a'), file, 0, { quota: null }),
    store.delete('ada', '7a'),
  ]);
  expect(result).toMatchObject({ outcome: 'known', record: { id: '7a' } });
  expect(removed).toMatchObject({ id: '7a' });
  expect(await filesIn(home)).toEqual([]);
});

describe('a disk that refuses an fsync', () => {
  test.each(['pointer', 'record', 'picture'])(
    'after the %s is removed: a DELETE is finished when asked again',
    async (step) => {
      const { store, put, home } = await openStore();
      await put(recordOf('7a', 'a'));
      await put(recordOf('7b', 'b'));
      const disk = await watchSyncs();
      disk.failFrom(['pointer', 'record', 'picture'].indexOf(step) + 1);
      await expect(store.delete('ada', '7a')).rejects.toThrow('EIO');
      disk.mend();
      expect(await store.head('ada', '7a')).toBeNull();
      expect((await store.list('ada', null, 10)).records).toMatchObject([{ id: '7b' }]);
      expect(await store.delete('ada', '7a')).toMatchObject({ id: '7a' });
      expect(await store.delete('ada', '7a')).toBeNull();
      expect(await filesIn(home)).toEqual(['7b.json', '7b.png', `by-digest/${'b'.repeat(64)}`]);
      expect(await store.usage('ada')).toEqual({ pictures: 1, bytes: 7 });
    },
  );

  test('after the picture is removed: a DELETE is finished though nobody asks for it again', async () => {
    const { store, put, home } = await openStore();
    await put(recordOf('7a', 'a'));
    const disk = await watchSyncs();
    disk.failFrom(2);
    await expect(store.delete('ada', '7a')).rejects.toThrow('EIO');
    disk.failFrom(1);
    await expect(store.finishRemovals()).rejects.toThrow(/EIO|EROFS/);
    disk.mend();
    await store.finishRemovals();
    expect(await filesIn(home)).toEqual([]);
    expect(await store.usage('ada')).toEqual({ pictures: 0, bytes: 0 });
  });

  test('after all of an owner is removed: nothing of it is counted any more', async () => {
    const { store, put } = await openStore();
    await put(recordOf('7a', 'a'));
    expect(await store.usage('ada')).toEqual({ pictures: 1, bytes: 7 });
    const disk = await watchSyncs();
    disk.failFrom(1);
    await expect(store.deleteOwner('ada')).rejects.toThrow('EIO');
    expect(await store.usage('ada')).toEqual({ pictures: 0, bytes: 0 });
  });

  test('and every removal: nobody finds the pictures of an owner who is removed, and the removal is finished', async () => {
    const { store, put, home } = await openStore();
    await put(recordOf('7a', 'a'));
    const disk = await watchSyncs();
    disk.failRemovals();
    await expect(store.deleteOwner('ada')).rejects.toThrow('EROFS');
    expect(await store.head('ada', '7a')).toBeNull();
    expect(await store.findByDigest('ada', 'a'.repeat(64))).toBeNull();
    await expect(store.finishRemovals()).rejects.toThrow(/EIO|EROFS/);
    disk.mend();
    await store.finishRemovals();
    await expect(readdir(home)).rejects.toThrow('ENOENT');
  });

  // In the order of the fsyncs: the picture's folder, the record and its folder, the pointer and its folder.
  test.each([1, 2, 3, 4, 5])(
    'and then every removal: an upload refused at its fsync %i leaves no trace',
    async (nth) => {
      const { store, put, home } = await openStore();
      await put(recordOf('7z', 'z'));
      const disk = await watchSyncs();
      disk.failFrom(nth);
      disk.failRemovals();
      await expect(put(recordOf('7a', 'a'))).rejects.toThrow('EIO');
      const look = async () => [await store.head('ada', '7a'), (await store.list('ada', null, 10)).records.length];
      expect(await look()).toEqual([null, 1]);
      // As long as it cannot be undone, the same bytes are not stored beside it.
      await expect(put(recordOf('7b', 'a'))).rejects.toThrow(/EIO|EROFS/);
      disk.mend();
      expect(await put(recordOf('7c', 'a'))).toMatchObject({ outcome: 'created' });
      expect(await store.usage('ada')).toEqual({ pictures: 2, bytes: 14 });
      await store.finishRemovals();
      const pointers = ['a', 'z'].map((content) => `by-digest/${content.repeat(64)}`);
      expect(await filesIn(home)).toEqual(['7c.json', '7c.png', '7z.json', '7z.png', ...pointers]);
    },
  );
});

test('what is uploaded by an owner who is removed meanwhile can be removed like all the rest', async () => {
  const { store, put, home } = await openStore();
  await store.deleteOwner('ada');
  await put(recordOf('7a', 'a'));
  expect(await store.head('ada', '7a')).toBeNull();
  await store.delete('ada', '7a');
  expect(await filesIn(home)).toEqual([]);
});

describe('a list', () => {
  test('leaves out what the disk cannot read, and tells the rest', async () => {
    const { store, put, home } = await openStore();
    for (const letter of 'abc') await put(recordOf(`7${letter}`, letter));
    failReading(join(home, '7b.json'));
    const { records } = await store.list('ada', null, 10);
    expect(records.map(({ id }) => id)).toEqual(['7a', '7c']);
  });

  test('of which the disk can read nothing is none', async () => {
    const { store, put, home } = await openStore();
    await put(recordOf('7a', 'a'));
    failReading(join(home, '7a.json'));
    await expect(store.list('ada', null, 10)).rejects.toThrow('EIO');
  });
});

test('a sweep of expired pictures ends after the one that it is at when the server stops', async () => {
  const { store, put } = await openStore();
  for (const letter of 'abc') await put(recordOf(`7${letter}`, letter, DUE));
  const stop = new AbortController();
  const visited: string[] = [];
  const before = async ({ id }: ImageRecord) => {
    visited.push(id);
    stop.abort();
  };
  await store.sweepExpired(DUE, before, stop.signal);
  expect(visited).toHaveLength(1);
  expect(await store.sweepExpired(DUE, ignore)).toEqual([]);
  expect((await store.list('ada', null, 10)).records).toEqual([]);
});

/** But for drafts, which the next start sweeps. */
async function filesIn(home: string): Promise<string[]> {
  const entries = await readdir(home, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.'));
  return files.map(({ parentPath, name }) => relative(home, join(parentPath, name)).replaceAll('\\', '/')).toSorted();
}

test('an upload is stored though a list that is being read at that time cannot be', async () => {
  const { store, put, home } = await openStore();
  await put(recordOf('7a', 'a'));
  const disk = watchFileCalls([home]);
  let giveUp = () => undefined as void;
  disk.fail(1, 'EMFILE', 1, new Promise((resolve) => (giveUp = resolve)));
  const listed = store.list('ada', null, 10).catch(String);
  const stored = put(recordOf('7b', 'b'));
  // All that is left to do is to count it.
  await eventually(async () => expect(await readdir(join(home, 'by-digest'))).toHaveLength(2));
  await eventually(() => expect(disk.open()).toEqual([]));
  giveUp();
  expect(await listed).toContain('EMFILE');
  await expect(stored).resolves.toMatchObject({ outcome: 'created' });
});

test('no file is fsynced that was opened to be read, which Windows refuses', async () => {
  const { data, put } = await openStore();
  const disk = watchFileCalls([data]);
  await put(recordOf('7a', 'a', DUE));
  const isFolder = (path: string) =>
    stat(path).then(
      (found) => found.isDirectory(),
      () => false,
    );
  const ways = [];
  for (const [path, flags] of disk.synced) if (!(await isFolder(path))) ways.push(flags);
  // The picture, its record and its pointer.
  expect(ways.toSorted()).toEqual(['wx', 'wx', 'wx']);
});

test('of two first uploads at once, the second waits for the folder, though it finds it as soon as the first has made it', async () => {
  const { data, store, receive, home } = await openStore();
  const [file, other] = [await receive(), await receive()];
  const images = (await stat(join(data, 'images'))).ino;
  const disk = await watchSyncs();
  // The folder of all owners is the first to be fsynced, and takes long.
  disk.delayNext();
  const digests = join(home, 'by-digest');
  let second: Promise<unknown> | undefined;
  let goOn = () => undefined as void;
  const looked = new Promise<void>((resolve) => (goOn = resolve));
  const originals = { access: fs.access, open: fs.open };
  const set = (calls: object) => {
    Object.assign(fs, calls);
    syncBuiltinESMExports();
  };
  onTestFinished(() => set(originals));
  set({
    // The first has found no folder, and has not begun to make it.
    async access(path: string) {
      if (path === digests && second === undefined) {
        second = store.put(recordOf('7b', 'b'), other, 0, { quota: null });
        await looked;
      }
      return originals.access(path);
    },
    async open(...args: Parameters<typeof fs.open>) {
      if (args[0] === home && second !== undefined) {
        goOn();
        await eventually(() => originals.access(digests), { interval: 1 });
      }
      return originals.open(...args);
    },
  });
  const first = store.put(recordOf('7a', 'a'), file, 0, { quota: null });
  await eventually(() => expect(second).toBeDefined());
  await second;
  expect(disk.inodes).toContain(images);
  await first;
});
