import { mkdir, mkdtemp, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { watchDisk, type Forgotten, type ForgettingDisk } from '../../../torture/watch-disk.js';
import { sweepImages } from '../src/adapters/filesystem/sweep-images.ts';
import { DUE, openStore, recordOf } from './filesystem-store.ts';
import { temporaryFolder } from './test-app.ts';

type Store = Awaited<ReturnType<typeof openStore>>;

const HOUR = 60 * 60 * 1000;
const POINTER = `images/ada/by-digest/${'a'.repeat(64)}`;
const WHOLE = [
  'expiring/2026-01-01T12/ada.7a',
  'images/ada/7a.json',
  'images/ada/7a.png',
  'images/ada/by-digest/' + 'a'.repeat(64),
];

/** A disk that forgets what was not fsynced, below a store; `cut` tells what is left after a power cut at a moment. */
async function forgetfulDisk(start?: Parameters<typeof watchDisk>[1], folder?: string) {
  const place = await temporaryFolder();
  const data = folder ?? join(place, 'data');
  await mkdir(data, { recursive: true });
  const disk: ForgettingDisk = watchDisk(data, start);
  onTestFinished(() => disk.release());
  const cut = async (position: number, forgotten: Forgotten = 'what was not fsynced') => {
    const at = await mkdtemp(join(place, 'cut'));
    await disk.putDown(position, at, forgotten);
    const entries = await readdir(at, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.') && !entry.name.includes('-'));
    const names = files.map(async ({ parentPath, name }) => {
      const path = join(parentPath, name);
      const relative = path.slice(at.length + 1).replaceAll('\\', '/');
      // Entries of the calendar alone hold nothing.
      const isEmpty = !relative.startsWith('expiring/') && (await stat(path)).size === 0;
      return isEmpty ? `${relative}, empty` : relative;
    });
    return (await Promise.all(names)).toSorted();
  };
  return { place, data, disk, cut };
}

describe('after a power cut', () => {
  test('at any moment, nothing claims more than there is, and what was acknowledged is there or gone', async () => {
    const { data, disk, cut } = await forgetfulDisk();
    const { store, put } = await openStore(data);
    await put(recordOf('7a', 'a', DUE));
    const stored = disk.position();
    await store.delete('ada', '7a');
    const removed = disk.position();
    disk.release();
    expect(await cut(stored)).toEqual(WHOLE);
    expect(await cut(removed)).toEqual([WHOLE[0]]);
    const moments = Array.from({ length: removed }, (_, position) => position);
    // Again and again, because a disk forgets some of it and not all.
    for (const position of Array.from({ length: 10 }, () => moments).flat()) {
      const files = await cut(position, 'some of what was not fsynced');
      if (files.includes(POINTER)) expect(files).toContain('images/ada/7a.json');
      if (files.includes('images/ada/7a.json')) expect(files).toEqual(expect.arrayContaining([WHOLE[0], WHOLE[2]]));
    }
  });

  test('a first picture and its folders are there', async () => {
    const { data, disk, cut } = await forgetfulDisk();
    const { put } = await openStore(data);
    await put(recordOf('7a', 'a'));
    disk.release();
    expect(await cut(disk.position())).toEqual(WHOLE.slice(1));
  });

  test('the pictures of an owner who was removed are gone', async () => {
    const { data, disk, cut } = await forgetfulDisk();
    const { store, put } = await openStore(data);
    await put(recordOf('7a', 'a'));
    await store.deleteOwner('ada');
    disk.release();
    expect(await cut(disk.position())).toEqual([]);
  });

  /** Kills a server at every moment of some work, starts another, lets it answer, and cuts its power. */
  async function killedAtAnyMoment(
    { before, work }: { before?: (store: Store) => Promise<unknown>; work: (store: Store) => Promise<unknown> },
    check: (store: Store, cutNow: () => Promise<string>, position: number) => Promise<void>,
  ) {
    const first = await forgetfulDisk();
    const opened = await openStore(first.data);
    await before?.(opened);
    const start = first.disk.position();
    await work(opened);
    first.disk.release();
    for (let position = start; position <= first.disk.position(); position += 1) {
      const killed = join(first.place, `killed-${position}`);
      const disk = await first.disk.putDown(position, killed, 'nothing');
      const next = await forgetfulDisk({ start: disk }, killed);
      const again = await openStore(next.data);
      await sweepImages(join(next.data, 'images'));
      const cutNow = async () => {
        next.disk.release();
        const at = join(first.place, `cut-${position}`);
        await next.disk.putDown(next.disk.position(), at, 'what was not fsynced');
        return join(at, 'images', 'ada');
      };
      await check(again, cutNow, position);
    }
  }

  test('what was found after a kill in the middle of an upload is there, and what was not is not', async () => {
    await killedAtAnyMoment(
      { work: ({ put }) => put(recordOf('7a', 'a')) },
      async ({ store, put }, cutNow, position) => {
        const isFound = (await store.head('ada', '7a')) !== null;
        // As the client does that had no answer.
        if (isFound) expect(await put(recordOf('7b', 'a'))).toMatchObject({ outcome: 'known' });
        const left = await readdir(await cutNow()).catch((): string[] => []);
        expect(left.includes('7a.json'), `killed at ${position}`).toBe(isFound);
        if (isFound) expect(left).toContain('7a.png');
      },
    );
  });

  test('in the middle of a start after a kill in the middle of an upload, the next start leaves no half of it', async () => {
    const first = await forgetfulDisk();
    await (await openStore(first.data)).put(recordOf('7a', 'a'));
    first.disk.release();
    for (let position = 0; position <= first.disk.position(); position += 1) {
      const killed = join(first.place, `killed-${position}`);
      const start = await first.disk.putDown(position, killed, 'nothing');
      const second = await forgetfulDisk({ start }, killed);
      await openStore(second.data);
      await sweepImages(join(second.data, 'images'));
      second.disk.release();
      for (let moment = 0; moment <= second.disk.position(); moment += 1) {
        const cut = join(first.place, `cut-${position}-${moment}`);
        await second.disk.putDown(moment, cut, 'what was not fsynced');
        await mkdir(join(cut, 'images'), { recursive: true });
        await sweepImages(join(cut, 'images'));
        const left = await readdir(join(cut, 'images'), { recursive: true, withFileTypes: true });
        const files = left.filter((entry) => entry.isFile());
        expect([0, 3], `killed at ${position}, cut at ${moment}`).toContain(files.length);
      }
    }
  });

  test('what was not found after a kill in the middle of a removal is not back', async () => {
    const before = ({ put }: Store) => put(recordOf('7a', 'a'));
    const work = ({ store }: Store) => store.delete('ada', '7a');
    await killedAtAnyMoment({ before, work }, async ({ store }, cutNow, position) => {
      const isFound = (await store.head('ada', '7a')) !== null;
      const left = await readdir(await cutNow()).catch((): string[] => []);
      expect(left.includes('7a.json'), `killed at ${position}`).toBe(isFound);
    });
  });

  test('a picture lives as long as was answered after a kill in the middle of putting its end off', async () => {
    const before = ({ put }: Store) => put(recordOf('7a', 'a', DUE));
    const work = ({ put }: Store) => put(recordOf('7b', 'a', DUE + HOUR));
    await killedAtAnyMoment({ before, work }, async ({ put }, cutNow, position) => {
      const result = await put(recordOf('7c', 'a', DUE + HOUR));
      expect(result).toMatchObject({ outcome: 'known', record: recordOf('7a', 'a', DUE + HOUR) });
      const record = await readFile(join(await cutNow(), '7a.json'), 'utf8');
      expect(JSON.parse(record), `killed at ${position}`).toMatchObject({ expiresAt: '2026-01-01T13:00:00.000Z' });
    });
  });

  test('a picture is there whose folders a server had made that was killed at any moment', async () => {
    const first = await forgetfulDisk();
    await (await openStore(first.data)).put(recordOf('7b', 'b'));
    first.disk.release();
    for (let position = 0; position <= first.disk.position(); position += 1) {
      const killed = join(first.place, `killed-${position}`);
      const start = await first.disk.putDown(position, killed, 'nothing');
      const { disk, data, cut } = await forgetfulDisk({ start }, killed);
      const { put } = await openStore(data);
      await sweepImages(join(data, 'images'));
      await put(recordOf('7a', 'a'));
      disk.release();
      expect(await cut(disk.position()), `killed at ${position}`).toEqual(expect.arrayContaining(WHOLE.slice(1)));
    }
  });
});
