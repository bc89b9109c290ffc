import { readdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { PictureCache } from '../../src/ports/picture-cache.ts';

/** What every picture cache promises. */
export function pictureCacheContract(adapter: string, open: () => Promise<PictureCache>): void {
  const readAll = async (cache: PictureCache, key: string) => {
    const file = await cache.open(key);
    return file && text(await file.read());
  };

  async function keep(cache: PictureCache, key: string, content: string): Promise<void> {
    const draft = await cache.draft();
    await writeFile(draft, content);
    await cache.keep(key, draft);
  }

  describe(`the ${adapter} picture cache`, () => {
    test('takes a draft in, and gives all of it or a part', async () => {
      const cache = await open();
      const draft = await cache.draft();
      await writeFile(draft, 'small');
      await cache.keep('ada.7a.160.webp', draft);
      const file = await cache.open('ada.7a.160.webp');
      expect(file?.bytes).toBe(5);
      expect(file && (await text(await file.read({ start: 1, end: 3 })))).toBe('mal');
      expect(await readAll(cache, 'ada.7a.160.webp')).toBe('small');
      await (await cache.open('ada.7a.160.webp'))?.close();
      expect((await readdir(dirname(draft))).filter((name) => draft.endsWith(name))).toEqual([]);
    });

    test('has nothing of what was never made', async () => {
      expect(await (await open()).open('ada.7a.160.webp')).toBeNull();
    });

    test('makes a file once, however many ask at the same time', async () => {
      const cache = await open();
      let made = 0;
      const make = async (draft: string) => {
        made += 1;
        await writeFile(draft, `made ${made}`);
      };
      await Promise.all(Array.from({ length: 10 }, () => cache.make('ada.7a.160.webp', make)));
      expect([made, await readAll(cache, 'ada.7a.160.webp')]).toEqual([1, 'made 1']);
    });

    test('keeps nothing of what could not be made, and makes it when asked again', async () => {
      const cache = await open();
      const paths: string[] = [];
      const make = cache.make('ada.7a.160.webp', async (draft) => {
        paths.push(draft);
        await writeFile(draft, 'half');
        throw new Error('no memory');
      });
      await expect(make).rejects.toThrow('no memory');
      expect(await cache.open('ada.7a.160.webp')).toBeNull();
      const [path = ''] = paths;
      expect((await readdir(dirname(path))).filter((name) => path.endsWith(name))).toEqual([]);
      await cache.make('ada.7a.160.webp', (draft) => writeFile(draft, 'whole'));
      expect(await readAll(cache, 'ada.7a.160.webp')).toBe('whole');
    });

    test('removes files by their keys, those that are not there too, or all of a prefix', async () => {
      const cache = await open();
      const keys = ['ada.7a.160.webp', 'ada.7a.320.webp', 'ada.7b.160.png', 'adah.7a.160.webp'];
      for (const key of keys) await keep(cache, key, key);
      const there = async () => {
        const files = await Promise.all(keys.map((key) => readAll(cache, key)));
        return files.filter((file) => file !== null);
      };
      await cache.remove(['ada.7a.160.webp', 'ada.7a.640.webp']);
      await cache.remove([]);
      expect(await there()).toEqual(keys.slice(1));
      await cache.removeAll('ada.');
      expect(await there()).toEqual(keys.slice(3));
    });
  });
}
