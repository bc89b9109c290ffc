import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ImageResponse } from '@imgup/shared';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { makePicture } from './pictures.ts';
import { bearer, filesOf, imageOf, openApp, refusal, type TestApp } from './test-app.ts';

const UNLIMITED = { uploads: 10_000, windowMs: 60_000 };

async function loggedIn() {
  const app = await openApp({ uploadLimit: UNLIMITED });
  const { access_token: token } = await app.register('ada');
  const upload = async (picture: Buffer, headers: Record<string, string> = {}) =>
    imageOf(await app.upload(token, picture, headers));
  const takeBack = ({ id }: ImageResponse) =>
    app.request(`/api/images/${id}`, { method: 'DELETE', headers: bearer(token) });
  return { app, token, upload, takeBack };
}

const get = (app: TestApp, image: ImageResponse, query = '') => app.request(new URL(image.url).pathname + query);
const cached = async (app: TestApp, { id }: ImageResponse) =>
  (await readdir(join(app.data, 'cache'))).filter((name) => name.includes(id));

/** A picture that takes a while to be made smaller. */
function slowPicture(): Promise<Buffer> {
  const [width, height] = [3000, 2000];
  return sharp(randomBytes(width * height * 3), { raw: { width, height, channels: 3 } })
    .jpeg()
    .toBuffer();
}

/** Keeps every decoder busy. */
function keepBusy(app: TestApp, slow: ImageResponse): Promise<Response[]> {
  return Promise.all([640, 1280, 2560].map((width) => get(app, slow, `?w=${width}`)));
}

describe('a picture that is taken back', () => {
  test('is there or is not for those who are just reading it, and no fault of the server', async () => {
    const { app, upload, takeBack } = await loggedIn();
    const statuses = new Set<number>();
    for (let seed = 0; seed < 20; seed += 1) {
      const image = await upload(await makePicture({ width: 300, height: 200, seed }));
      const read = (_: unknown, at: number) => get(app, image, at % 2 === 0 ? '' : '?w=160');
      const [before, removal] = [Array.from({ length: 6 }, read), takeBack(image)];
      for (const answer of await Promise.all([...before, removal, ...Array.from({ length: 6 }, read)])) {
        statuses.add(answer.status);
        await answer.arrayBuffer();
      }
    }
    expect([...statuses].filter((status) => ![200, 204, 404].includes(status))).toEqual([]);
  });

  test('while a small version of it waits to be made is not found', async () => {
    const { app, upload, takeBack } = await loggedIn();
    const [slow, image] = [await upload(await slowPicture()), await upload(await makePicture({ width: 300 }))];
    const busy = keepBusy(app, slow);
    await sleep(50);
    const waiting = get(app, image, '?w=160');
    await sleep(20);
    expect((await takeBack(image)).status).toBe(204);
    expect((await waiting).status).toBe(404);
    await busy;
    expect(await cached(app, image)).toEqual([]);
  });

  test('while a small version of it is being made leaves none', { timeout: 30_000 }, async () => {
    const { app, upload, takeBack } = await loggedIn();
    for (const delay of [100, 200, 300, 400]) {
      const image = await upload(await slowPicture());
      const making = get(app, image, '?w=1280');
      await sleep(delay);
      expect((await takeBack(image)).status).toBe(204);
      await (await making).arrayBuffer();
      expect(await cached(app, image)).toEqual([]);
    }
  });

  test('with its user leaves no small version', async () => {
    const { app, token } = await loggedIn();
    const eve = await app.register('eve');
    const image = await imageOf(await app.upload(eve.access_token, await makePicture({ width: 800 })));
    await get(app, image, '?w=640');
    expect(await cached(app, image)).toHaveLength(2);
    expect((await app.request('/api/users/eve', { method: 'DELETE', headers: bearer(token) })).status).toBe(204);
    expect(await cached(app, image)).toEqual([]);
  });
});

test.each([
  ['nothing', '', 0],
  ['only the pictures that are kept', '?keep_images=true', 1],
])('an upload whose user is removed meanwhile leaves %s', async (_what, query, kept) => {
  const { app, token } = await loggedIn();
  const eve = await app.register('eve');
  if (kept > 0) await app.upload(eve.access_token, await makePicture({ seed: 1 }));
  const picture = await makePicture({ seed: 2 });
  const remove = () => app.request(`/api/users/eve${query}`, { method: 'DELETE', headers: bearer(token) });
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(picture.subarray(0, -5));
      await sleep(100);
      expect((await remove()).status).toBe(204);
      controller.enqueue(picture.subarray(-5));
      controller.close();
    },
  });
  expect(await refusal(await app.upload(eve.access_token, body))).toBe('401 token_revoked');
  const homes = await readdir(join(app.data, 'images'));
  expect(homes).toEqual(kept > 0 ? [eve.user.id] : []);
  expect((await filesOf(app.data)).filter((file) => file.endsWith('.png'))).toHaveLength(kept);
});

test('a picture that expires while a small version of it is being made leaves none of them', async () => {
  const { app, upload } = await loggedIn();
  const expires = { 'X-Imgup-Expires': '10m' };
  const [slow, image] = [await upload(await slowPicture()), await upload(await makePicture({ width: 300 }), expires)];
  const busy = keepBusy(app, slow);
  await sleep(50);
  const waiting = get(app, image, '?w=160');
  await sleep(20);
  app.clock.now += 11 * 60_000;
  expect((await waiting).status).toBe(404);
  await busy;
  expect(await cached(app, image)).toEqual([]);
});
