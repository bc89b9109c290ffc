import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createApp, type AppOptions } from '@imgup/server';
import type { ImageResponse, ImagesResponse } from '@imgup/shared';
import { makePicture, makePngOfSize } from './pictures.ts';
import { hasS3, keysAt, locationOf, objectsAt, useEngine } from './s3-store.ts';
import { bearer, imageOf, openApp, refusal, temporaryFolder, type TestApp } from './test-app.ts';

const s3 = useEngine();
const UNLIMITED = { uploads: 10_000, windowMs: 60_000 };
const HOUR = 60 * 60 * 1000;

async function withPicture(options: Partial<AppOptions> = {}, headers: Record<string, string> = {}) {
  const images = s3.location();
  const app = await openApp({ images, uploadLimit: UNLIMITED, ...options });
  const { access_token: token, user } = await app.register('ada');
  const picture = await makePicture({ width: 800, height: 600 });
  const answer = await app.upload(token, picture, {
    'Content-Disposition': 'attachment; filename="holiday.png"',
    ...headers,
  });
  const image = await imageOf(answer);
  return { app, images, token, user, picture, answer, image, path: new URL(image.url).pathname };
}

const get = (app: TestApp, path: string, headers: Record<string, string> = {}, method = 'GET') =>
  app.request(path, { method, headers });
const bytesOf = async (answer: Response) => Buffer.from(await answer.arrayBuffer());
const takeBack = (app: TestApp, token: string, image: ImageResponse) =>
  app.request(`/api/images/${image.id}`, { method: 'DELETE', headers: bearer(token) });

/** But for what is empty, and says that something has ended. */
async function keysLeft(images: ReturnType<typeof s3.location>): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key, bytes } of objectsAt(images).list('')) if (bytes > 0 && key !== 'swept') keys.push(key);
  return keys;
}

describe.skipIf(!hasS3)('a server whose pictures are on an S3 store', { timeout: 60_000 }, () => {
  test('stores an upload under the keys of the data folder, and nothing on its own disk', async () => {
    const { app, images, user, answer, image, picture } = await withPicture();
    expect(answer.status).toBe(201);
    expect(await keysAt(images)).toEqual([
      `cache/${user.id}.${image.id}.320.webp`,
      `images/${user.id}/${image.id}.json`,
      `images/${user.id}/${image.id}.png`,
      `images/${user.id}/by-digest/${image.sha256}`,
    ]);
    expect(await readdir(join(app.data, 'incoming'))).toEqual([]);
    expect(await readdir(app.data)).not.toContain('images');
    const again = await app.upload((await app.register('eve')).access_token, picture);
    expect([again.status, (await imageOf(again)).url === image.url]).toEqual([201, false]);
  });

  test('knows what is there already, by its bytes and by its digest', async () => {
    const { app, token, image, picture } = await withPicture();
    const again = await app.upload(token, picture);
    expect([again.status, await imageOf(again)]).toEqual([200, image]);
    const sha256 = createHash('sha256').update(picture).digest('hex');
    const head = await get(app, `/api/images/by-digest/${sha256}`, bearer(token), 'HEAD');
    expect([head.status, head.headers.get('location')]).toEqual([200, image.url]);
    expect((await get(app, '/api/images', bearer(token))).status).toBe(200);
    const list = (await (await get(app, '/api/images', bearer(token))).json()) as ImagesResponse;
    expect(list).toEqual({ images: [image], next: null, total: { pictures: 1, bytes: picture.length } });
  });

  test('serves pictures whole, in parts, by their headers alone, and not again to who has them', async () => {
    const { app, path, picture } = await withPicture();
    const whole = await get(app, path);
    expect(await bytesOf(whole)).toEqual(picture);
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      'content-type': 'image/png',
      'content-length': `${picture.length}`,
      'content-security-policy': "default-src 'none'; sandbox",
      'x-content-type-options': 'nosniff',
      'content-disposition': 'inline; filename="holiday.png"',
    });
    const part = await get(app, path, { Range: 'bytes=10-19' });
    expect([part.status, part.headers.get('content-range'), await bytesOf(part)]).toEqual([
      206,
      `bytes 10-19/${picture.length}`,
      picture.subarray(10, 20),
    ]);
    const last = await get(app, path, { Range: 'bytes=-5' });
    expect(await bytesOf(last)).toEqual(picture.subarray(-5));
    expect((await get(app, path, { Range: `bytes=${picture.length}-` })).status).toBe(416);
    const head = await get(app, path, {}, 'HEAD');
    expect([head.status, head.headers.get('content-length'), (await bytesOf(head)).length]).toEqual([
      200,
      `${picture.length}`,
      0,
    ]);
    const etag = whole.headers.get('etag') ?? '';
    expect((await get(app, path, { 'If-None-Match': etag })).status).toBe(304);
    expect((await get(app, path, { 'If-Match': '"other"' })).status).toBe(412);
  });

  test('makes small versions that another server finds', async () => {
    const { app, images, path } = await withPicture();
    const small = await get(app, `${path}?w=160`, { Accept: 'image/webp' });
    const bytes = await bytesOf(small);
    expect([small.status, small.headers.get('content-type'), bytes.length > 0]).toEqual([200, 'image/webp', true]);
    const made = (await keysAt(images)).filter((key) => key.startsWith('cache/'));
    expect(made).toHaveLength(2);
    const other = await openApp({ images });
    expect(await bytesOf(await get(other, `${path}?w=160`, { Accept: 'image/webp' }))).toEqual(bytes);
    expect(await bytesOf(await get(other, `${path}?w=160`, { Accept: 'image/webp', Range: 'bytes=2-4' }))).toEqual(
      bytes.subarray(2, 5),
    );
    expect((await keysAt(images)).filter((key) => key.startsWith('cache/'))).toEqual(made);
  });

  test('removes a picture with its small versions, for readers of every server', async () => {
    const { app, images, token, image, path } = await withPicture();
    await get(app, `${path}?w=160`);
    expect((await takeBack(app, token, image)).status).toBe(204);
    expect(await refusal(await takeBack(app, token, image))).toBe('404 not_found');
    const other = await openApp({ images });
    for (const each of [app, other]) {
      for (const query of ['', '?w=160', '?w=320']) expect((await get(each, path + query)).status).toBe(404);
    }
    expect(await keysLeft(images)).toEqual([]);
  });

  test('removes a picture that has expired, and all of a user who is removed', async () => {
    const { app, images, token, path } = await withPicture({}, { 'X-Imgup-Expires': '1h' });
    app.clock.now += HOUR;
    expect((await get(app, path)).status).toBe(404);
    await app.close();
    const later = await openApp({
      images,
      data: app.data,
      now: () => app.clock.now - HOUR / 2,
      uploadLimit: UNLIMITED,
    });
    const eve = await later.register('eve');
    await later.upload(eve.access_token, await makePicture({ width: 400 }));
    expect(await refusal(await later.request('/api/users/eve', { method: 'DELETE' }))).toBe('401 token_missing');
    const removal = await later.request('/api/users/eve', { method: 'DELETE', headers: bearer(token) });
    expect(removal.status).toBe(401);
    await later.close();
    const sweeping = await openApp({ images, data: app.data, now: () => app.clock.now });
    const left = await keysLeft(images);
    expect(left.filter((key) => !key.includes(eve.user.id))).toEqual([]);
    const login = await sweeping.post('/api/login', { username: 'ada', password: 'a long enough secret' });
    const { access_token } = (await login.json()) as { access_token: string };
    const gone = await sweeping.request('/api/users/eve', { method: 'DELETE', headers: bearer(access_token) });
    expect(gone.status).toBe(204);
    expect(await keysLeft(images)).toEqual([]);
  });

  test('sends and reads a picture of several parts without holding it', { timeout: 60_000 }, async () => {
    const images = s3.location();
    const app = await openApp({ images, maxBytes: 64 * 1024 ** 2, uploadLimit: UNLIMITED });
    const { access_token } = await app.register('ada');
    const picture = await makePngOfSize(40 * 1024 ** 2 + 12_345);
    const answer = await app.upload(access_token, picture, { 'X-Imgup-Metadata': 'keep' });
    const { url } = await imageOf(answer);
    expect((await bytesOf(await get(app, new URL(url).pathname))).equals(picture)).toBe(true);
    const part = await get(app, new URL(url).pathname, { Range: 'bytes=16777210-16777220' });
    expect((await bytesOf(part)).equals(picture.subarray(16_777_210, 16_777_221))).toBe(true);
  });

  test('may send readers to the store, with links that work for a while', async () => {
    const { app, images, token, image, path, picture } = await withPicture({ serveImages: 'redirect' });
    const answer = await get(app, path, { Range: 'bytes=0-3' });
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([307, 'private, max-age=60']);
    const description: unknown = await (await get(app, '/openapi.json')).json();
    expect(description).toHaveProperty(['paths', '/i/{owner}/{file}', 'get', 'responses', '307']);
    const location = answer.headers.get('location') ?? '';
    const direct = await fetch(location);
    expect(await bytesOf(direct)).toEqual(picture);
    expect(Object.fromEntries(direct.headers)).toMatchObject({
      'content-type': 'image/png',
      'content-disposition': 'inline; filename="holiday.png"',
      'cache-control': 'private, max-age=300',
    });
    expect((await fetch(location, { headers: { Range: 'bytes=0-3' } })).status).toBe(206);
    const small = await get(app, `${path}?w=160`, { Accept: 'image/webp' });
    const smaller = await fetch(small.headers.get('location') ?? '');
    expect([smaller.status, smaller.headers.get('content-type')]).toEqual([200, 'image/webp']);
    // Without the store: what is known already, and what a GET's link would not do.
    const head = await get(app, path, {}, 'HEAD');
    expect([head.status, head.headers.get('content-length')]).toEqual([200, `${picture.length}`]);
    expect((await get(app, path, { 'If-None-Match': head.headers.get('etag') ?? '' })).status).toBe(304);
    await takeBack(app, token, image);
    expect((await get(app, path)).status).toBe(404);
    expect((await fetch(location)).status).toBe(404);
    expect(await keysLeft(images)).toEqual([]);
  });

  test('tells readers whom it sends to the store nothing of what was taken out of a picture', async () => {
    const app = await openApp({ images: s3.location(), serveImages: 'redirect' });
    const { access_token: token } = await app.register('ada');
    const image = await imageOf(await app.upload(token, await makePngOfSize(2000)));
    expect(image.source_sha256).not.toBe(image.sha256);
    const answer = await get(app, new URL(image.url).pathname);
    const direct = await fetch(answer.headers.get('location') ?? '');
    const metadata = Buffer.from(direct.headers.get('x-amz-meta-record') ?? '', 'base64url').toString();
    expect(metadata).toContain(image.sha256);
    expect(metadata).not.toContain(image.source_sha256);
  });

  test.each([
    ['a bucket that is not there', (url: string) => url.replace('//imgup/', '//nobucket/'), 'no bucket "nobucket"'],
    ['a store that is not there', (url: string) => url.replace(/:\d+&/, ':9&'), 'cannot be used'],
  ])('does not start with %s, and says what to do', async (_what, change, sentence) => {
    const images = locationOf(change(s3.engine().url()));
    const start = createApp({ data: await temporaryFolder(), images });
    await expect(start).rejects.toMatchObject({
      code: 'images_unusable',
      message: expect.stringContaining(sentence) as string,
    });
  });

  test('does not start with credentials that the store does not know, and does not show them', async () => {
    const secret = process.env['AWS_SECRET_ACCESS_KEY'];
    process.env['AWS_SECRET_ACCESS_KEY'] = 'a wrong one';
    try {
      const start = createApp({ data: await temporaryFolder(), images: s3.location() });
      const error = await start.then(
        () => null,
        (failure: Error) => failure,
      );
      expect(error?.message).toContain('does not accept the credentials');
      expect(`${error?.message} ${String(error?.cause)}`).not.toContain('a wrong one');
    } finally {
      process.env['AWS_SECRET_ACCESS_KEY'] = secret;
    }
  });
});
