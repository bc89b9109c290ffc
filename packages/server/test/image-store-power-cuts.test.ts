import { mkdir, mkdtemp, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { watchDisk, type Forgotten, type ForgettingDisk } from '../../../torture/watch-disk.js';
import { sweepImages } from '../src/adapters/filesystem/sweep-images.ts';
import { DUE, openStore, recordOf } from './filesystem-store.ts';
import { temporaryFolder } from './test-app.ts';

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
    return files
      .map(({ parentPath, name }) =>
        join(parentPath, name)
          .slice(at.length + 1)
          .replaceAll('\\', '/'),
      )
      .toSorted();
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
