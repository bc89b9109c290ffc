import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DUE, ignore, openStore, recordOf } from './filesystem-store.ts';

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
