import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createSharedFolders } from '../src/adapters/filesystem/shared-folders.ts';
import { watchFileCalls } from './file-calls.ts';
import { temporaryFolder } from './test-app.ts';
import { eventually } from './eventually.ts';

/** Fsyncs that end when they are told to. */
async function holdSyncs() {
  const handle = await open(join(await temporaryFolder(), 'any'), 'w');
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const underWay: { done: () => void; fail: (error: Error) => void }[] = [];
  const hold = () => new Promise<void>((done, fail) => underWay.push({ done, fail }));
  const spy = vi.spyOn(prototype, 'sync').mockImplementation(hold);
  onTestFinished(() => spy.mockRestore());
  return underWay;
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

test('a folder that several have open is open once, and closed by the last of them', async () => {
  const path = await temporaryFolder();
  const { open: opened } = watchFileCalls([path]);
  const openShared = createSharedFolders();
  const [one, other] = await Promise.all([openShared(path), openShared(path)]);
  expect(opened()).toEqual([path]);
  await one.close();
  await other.sync();
  expect(opened()).toEqual([path]);
  await other.close();
  expect(opened()).toEqual([]);
  await (await openShared(path)).close();
});

test('an fsync that has begun already does for nobody who asks later: those share the next', async () => {
  const syncs = await holdSyncs();
  const folder = await createSharedFolders()(await temporaryFolder());
  const done: string[] = [];
  const sync = async (who: string) => {
    await folder.sync();
    done.push(who);
  };
  const all = [sync('first'), sync('second'), sync('third')];
  await settle();
  expect(syncs).toHaveLength(1);
  syncs[0]?.done();
  await eventually(() => expect(syncs).toHaveLength(2));
  expect(done).toEqual(['first']);
  syncs[1]?.done();
  await Promise.all(all);
  expect(done).toEqual(['first', 'second', 'third']);
  expect(syncs).toHaveLength(2);
  await folder.close();
});

test('an fsync that fails fails for all who have the folder open, and not for who opens it anew', async () => {
  const syncs = await holdSyncs();
  const path = await temporaryFolder();
  const { open: opened } = watchFileCalls([path]);
  const openShared = createSharedFolders();
  const [one, other] = [await openShared(path), await openShared(path)];
  const results = Promise.allSettled([one.sync(), other.sync()]);
  await eventually(() => expect(syncs).toHaveLength(1));
  syncs[0]?.fail(new Error('EIO'));
  expect(await results).toMatchObject([{ reason: { message: 'EIO' } }, { reason: { message: 'EIO' } }]);
  await expect(other.sync()).rejects.toThrow('EIO');
  const anew = await openShared(path);
  const synced = anew.sync();
  await eventually(() => expect(syncs).toHaveLength(2));
  syncs[1]?.done();
  await synced;
  for (const folder of [one, other]) await folder.close();
  // Theirs is closed, and the one that took its place is still shared.
  expect(opened()).toEqual([path]);
  const more = await openShared(path);
  expect(opened()).toEqual([path]);
  for (const folder of [anew, more]) await folder.close();
  expect(opened()).toEqual([]);
});

test('a folder that could not be opened is tried again by the next', async () => {
  const path = join(await temporaryFolder(), 'missing');
  const openShared = createSharedFolders();
  const both = await Promise.allSettled([openShared(path), openShared(path)]);
  expect(both).toMatchObject([{ reason: { code: 'ENOENT' } }, { reason: { code: 'ENOENT' } }]);
  await expect(openShared(path)).rejects.toThrow('ENOENT');
});
