import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { watchFileCalls } from './file-calls.ts';
import { makePicture } from './pictures.ts';
import { filesOf, imageOf, openApp } from './test-app.ts';
import { eventually } from './eventually.ts';

const UNLIMITED = { uploads: 10_000, windowMs: 60_000 };

/** What a disk may keep until the next start, if it lets nothing be removed: the drafts of a record and of a pointer. */
const DRAFT = /images.*[/\\]\.[0-9a-f-]{36}$/;

/** One that is stripped, so that what is served is a copy of what was received. */
function picture(seed: number, width: number): Promise<Buffer> {
  const noise = { type: 'gaussian', mean: 128, sigma: 60 } as const;
  return sharp({ create: { width, height: 200, channels: 3, background: 'red', noise } })
    .withExif({ IFD0: { Artist: `ada ${seed}` } })
    .jpeg({ quality: 100 })
    .toBuffer();
}

/** Sides of a picture that is looked at in memory, and of one that is read again. */
const [SMALL, LARGE] = [8, 1000];

test.each([
  ['EIO', 'one', 1, SMALL],
  ['EIO', 'one of a large picture', 1, LARGE],
  ['EIO', 'all from one on', Infinity, SMALL],
  ['ENOSPC', 'three', 3, SMALL],
  ['EMFILE', 'three', 3, SMALL],
])(
  'whichever calls to the disk fail (%s, %s), an upload is answered as it is stored, and leaves no file, nor one that is open',
  { timeout: 60_000 },
  async (code, _, calls, width) => {
    const app = await openApp({ uploadLimit: UNLIMITED, minFree: 0, quota: 1e9 });
    const { access_token } = await app.register('ada');
    const upload = async (seed: number) =>
      app.upload(access_token, await picture(seed, width), { 'X-Imgup-Expires': '7d' });
    expect((await upload(0)).status).toBe(201);
    const disk = watchFileCalls(['images', 'incoming', 'cache', 'expiring'].map((name) => join(app.data, name)));
    let [nth, failed]: [number, string | null] = [0, ''];
    while (failed !== null) {
      nth += 1;
      const before = await filesOf(app.data);
      disk.fail(nth, code, calls);
      const { status } = await upload(nth);
      failed = disk.mend();
      // Within a second of its recovery, or when somebody asks for it.
      app.clock.now += 2000;
      expect((await app.request('/readyz')).status, `${failed}`).toBe(200);
      const left = (await filesOf(app.data)).filter((file) => !before.includes(file));
      const whole = calls === 1 ? left : left.filter((file) => !DRAFT.test(file));
      expect({ failed, status, left: whole.length }).toEqual({
        failed,
        status: status === 201 ? 201 : code === 'ENOSPC' ? 507 : 503,
        left: status === 201 ? 3 : 0,
      });
      expect(disk.open(), `${failed}`).toEqual([]);
      if (failed?.startsWith('sync ') === true) expect(status, failed).not.toBe(201);
    }
    expect(nth).toBeGreaterThan(40);
  },
);

test.each(['', '?w=160'])(
  'whichever call to the disk fails, a picture that is read (%s) is not left open',
  async (query) => {
    const app = await openApp({ minFree: 0 });
    const { access_token } = await app.register('ada');
    const { url } = await imageOf(await app.upload(access_token, await makePicture({ width: 300 })));
    const read = async () => app.request(new URL(url).pathname + query);
    await (await read()).arrayBuffer();
    const disk = watchFileCalls(['images', 'cache'].map((name) => join(app.data, name)));
    const statuses = [];
    for (let [nth, failed]: [number, string | null] = [1, '']; failed !== null; nth += 1) {
      disk.fail(nth, 'EIO');
      const answer = await read();
      await answer.arrayBuffer().catch(() => undefined);
      failed = disk.mend();
      statuses.push(answer.status);
      await eventually(() => expect(disk.open(), `${failed}`).toEqual([]));
    }
    expect(new Set(statuses)).toEqual(new Set([200, 503]));
  },
);
