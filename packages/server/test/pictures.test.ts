import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageResponse, ImagesResponse } from '@imgup/shared';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { makePicture } from './pictures.ts';
import { bearer, filesOf, imageOf, openApp, refusal, type TestApp } from './test-app.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

async function loggedIn(options: Parameters<typeof openApp>[0] = {}) {
  const app = await openApp({ uploadLimit: { uploads: 10_000, windowMs: MINUTE }, ...options });
  const { access_token: token } = await app.register('ada');
  return { app, token };
}

async function withPicture(picture: Buffer, headers: Record<string, string> = {}) {
  const { app, token } = await loggedIn();
  const image = await imageOf(await app.upload(token, picture, headers));
  return { app, token, image, picture, path: new URL(image.url).pathname };
}

const ownerOf = (image: ImageResponse) => new URL(image.url).pathname.split('/')[2] ?? '';
const get = (app: TestApp, path: string, headers: Record<string, string> = {}) => app.request(path, { headers });
const bytesOf = async (answer: Response) => Buffer.from(await answer.arrayBuffer());

describe('a picture is decoded whole before it counts', () => {
  test.each(['png', 'jpeg', 'gif', 'webp', 'avif'] as const)(
    'a %s cut short is refused, wherever it is cut',
    async (format) => {
      const { app, token } = await loggedIn();
      const noise = await sharp(Buffer.from(Array.from({ length: 96 * 96 * 3 }, (_, at) => (at * at * 31) % 251)), {
        raw: { width: 96, height: 96, channels: 3 },
      })
        .toFormat(format)
        .toBuffer();
      for (const part of [0.2, 0.5, 0.8, 0.95]) {
        const answer = await app.upload(token, noise.subarray(0, Math.floor(noise.length * part)));
        expect(await refusal(answer)).toMatch(/^(422 image_invalid|415 image_type_unsupported)$/);
      }
      expect(await filesOf(app.data)).toEqual([]);
      expect((await readdir(join(app.data, 'cache'))).length).toBe(0);
    },
  );

  test('too many pixels, in one frame or in all together, are refused', async () => {
    const { app, token } = await loggedIn({ maxPixels: 10_000 });
    expect((await app.upload(token, await makePicture({ width: 100, height: 100 }))).status).toBe(201);
    const large = await makePicture({ width: 101, height: 100 });
    expect(await refusal(await app.upload(token, large))).toBe('422 image_too_many_pixels');
    const frames = await Promise.all([1, 2, 3].map((seed) => makePicture({ width: 60, height: 60, seed: seed * 60 })));
    const animation = await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer();
    expect(await refusal(await app.upload(token, animation))).toBe('422 image_too_many_pixels');
  });

  test('a bomb of 268 megapixels in 32 bytes is refused for what its header says', async () => {
    const { app, token } = await loggedIn();
    // A lossless WebP whose header says 16,384 x 16,384.
    const bomb = Buffer.from('5249464618000000574542505650384c0c0000002ffebfff0f07101111888808', 'hex');
    expect(await refusal(await app.upload(token, bomb))).toBe('422 image_too_many_pixels');
  });
});

test.skipIf(process.platform !== 'linux')(
  'a decoder that is brought down takes its picture with it, and not the server',
  async () => {
    const { app, token } = await loggedIn();
    const noise = randomBytes(2500 * 2500 * 3);
    const large = await sharp(noise, { raw: { width: 2500, height: 2500, channels: 3 } })
      .png({ compressionLevel: 0 })
      .toBuffer();
    await app.upload(token, await makePicture());
    // Every decoder is killed as soon as it is there, for as long as the picture is being decoded.
    const killing = setInterval(() => {
      const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim();
      for (const pid of children === '' ? [] : children.split(' ')) process.kill(Number(pid), 'SIGKILL');
    }, 20);
    const answer = await app.upload(token, large).finally(() => {
      clearInterval(killing);
    });
    expect(await refusal(answer)).toMatch(/^(422 image_invalid|503 server_busy)$/);
    expect(await filesOf(app.data)).toHaveLength(3);
    expect((await app.upload(token, await makePicture({ seed: 1 }))).status).toBe(201);
  },
);

describe('the same bytes', () => {
  test('are found by the digest they were sent with, without a slot of the limit', async () => {
    const picture = await makePicture();
    const { app, token, image } = await withPicture(picture);
    const find = (sha256: string, as = token) => get(app, `/api/images/by-digest/${sha256}`, bearer(as));
    const found = await find(image.source_sha256);
    expect([found.headers.get('location'), await imageOf(found)]).toEqual([image.url, image]);
    expect(await refusal(await find('0'.repeat(64)))).toBe('404 not_found');
    expect(await refusal(await find('../../../secret'))).toBe('404 not_found');
    const eve = await app.register('eve');
    expect(await refusal(await find(image.source_sha256, eve.access_token))).toBe('404 not_found');
    const left = (await get(app, '/api/me', bearer(token))).headers.get('ratelimit');
    expect(left).toBe('"upload";r=9999;t=60');
  });

  test('with their metadata kept are another picture than without', async () => {
    const { app, token, picture, image } = await withPicture(await makePicture());
    const kept = await imageOf(await app.upload(token, picture, { 'X-Imgup-Metadata': 'keep' }));
    expect(kept.url).not.toBe(image.url);
    const again = await app.upload(token, picture, { 'X-Imgup-Metadata': 'keep' });
    expect([again.status, (await imageOf(again)).url]).toEqual([200, kept.url]);
  });
});

describe('a public link', () => {
  test('answers parts of the picture, as a download that goes on asks for them', async () => {
    const picture = await makePicture({ width: 400, height: 300 });
    const { app, path, image } = await withPicture(picture);
    const size = picture.length;
    const etag = `"${image.sha256}"`;
    const part = async (range: string, more: Record<string, string> = {}) => {
      const answer = await get(app, path, { Range: range, ...more });
      return [answer.status, answer.headers.get('content-range'), (await bytesOf(answer)).toString('hex')];
    };
    const hex = (start: number, end: number) => picture.subarray(start, end).toString('hex');
    expect(await part('bytes=0-9')).toEqual([206, `bytes 0-9/${size}`, hex(0, 10)]);
    expect(await part('bytes=10-')).toEqual([206, `bytes 10-${size - 1}/${size}`, hex(10, size)]);
    expect(await part('bytes=-5')).toEqual([206, `bytes ${size - 5}-${size - 1}/${size}`, hex(size - 5, size)]);
    expect(await part(`bytes=${size}-`)).toEqual([416, `bytes */${size}`, '']);
    expect(await part('bytes=0-1,4-5')).toEqual([200, null, hex(0, size)]);
    expect(await part('pages=1')).toEqual([200, null, hex(0, size)]);
    expect(await part('bytes=0-9', { 'If-Range': etag })).toEqual([206, `bytes 0-9/${size}`, hex(0, 10)]);
    expect(await part('bytes=0-9', { 'If-Range': '"other"' })).toEqual([200, null, hex(0, size)]);
  });

  test('answers under the conditions of the request, in the order that RFC 9110 gives them', async () => {
    const { app, path, image } = await withPicture(await makePicture({ width: 400, height: 300 }));
    const etag = `"${image.sha256}"`;
    const [before, at, after] = [-1, 0, 1].map((by) => new Date(app.clock.now + by * HOUR).toUTCString());
    const range = { Range: 'bytes=0-9' };
    const cases: [number, Record<string, string | undefined>][] = [
      [304, { 'If-None-Match': etag }],
      [304, { 'If-None-Match': `"x", W/${etag}` }],
      [304, { 'If-None-Match': '*' }],
      [200, { 'If-None-Match': '"x"' }],
      [304, { 'If-Modified-Since': at }],
      [304, { 'If-Modified-Since': after }],
      [200, { 'If-Modified-Since': before }],
      [200, { 'If-Modified-Since': 'yesterday' }],
      [200, { 'If-None-Match': '"x"', 'If-Modified-Since': after }],
      [304, { 'If-None-Match': etag, 'If-Modified-Since': before }],
      [304, { 'If-None-Match': etag, ...range }],
      [412, { 'If-Match': '"x"' }],
      [412, { 'If-Match': `W/${etag}` }],
      [412, { 'If-Match': '"x"', 'If-None-Match': etag, ...range }],
      [200, { 'If-Match': `"x", ${etag}` }],
      [200, { 'If-Match': '*' }],
      [412, { 'If-Unmodified-Since': before }],
      [200, { 'If-Unmodified-Since': at }],
      [200, { 'If-Unmodified-Since': 'yesterday' }],
      [200, { 'If-Match': etag, 'If-Unmodified-Since': before }],
    ];
    for (const [status, headers] of cases) {
      for (const method of ['GET', 'HEAD']) {
        const answer = await app.request(path, { method, headers: headers as Record<string, string> });
        expect([method, headers, answer.status]).toEqual([method, headers, status]);
      }
    }
    expect(await refusal(await get(app, path, { 'If-Match': '"x"' }))).toBe('412 precondition_failed');
  });

  test('has a Range mean nothing where only the headers are asked for', async () => {
    const { app, path, image } = await withPicture(await makePicture());
    for (const range of ['bytes=0-9', 'bytes=99999999-']) {
      const { status, headers } = await app.request(path, { method: 'HEAD', headers: { Range: range } });
      expect([status, headers.get('content-range')]).toEqual([200, null]);
      expect(headers.get('content-length')).toBe(`${image.bytes}`);
    }
  });

  test('sets no cookie, may be embedded elsewhere, and lets nothing in a picture run', async () => {
    const { app, path } = await withPicture(await makePicture());
    const { headers } = await get(app, path);
    expect(headers.get('set-cookie')).toBeNull();
    expect(headers.get('cross-origin-resource-policy')).toBe('cross-origin');
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; sandbox");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });
});

describe('a smaller version', () => {
  test.each([160, 320, 640, 1280])('of %i pixels is that wide, in WebP where the client takes it', async (width) => {
    const { app, path } = await withPicture(await makePicture({ format: 'jpeg', width: 2000, height: 1000 }));
    const webp = await get(app, `${path}?w=${width}`, { Accept: 'image/webp,*/*' });
    const jpeg = await get(app, `${path}?w=${width}`);
    expect([webp.headers.get('content-type'), jpeg.headers.get('content-type')]).toEqual(['image/webp', 'image/jpeg']);
    expect([webp.headers.get('vary'), jpeg.headers.get('vary')]).toEqual(['Accept', 'Accept']);
    expect(webp.headers.get('etag')).not.toBe(jpeg.headers.get('etag'));
    for (const answer of [webp, jpeg]) {
      expect(await sharp(await bytesOf(answer)).metadata()).toMatchObject({ width, height: width / 2 });
    }
  });

  test('is never larger than the picture, which is then what is answered', async () => {
    const picture = await makePicture({ width: 300, height: 200 });
    const { app, path } = await withPicture(picture);
    expect((await bytesOf(await get(app, `${path}?w=320`, { Accept: 'image/webp' }))).equals(picture)).toBe(true);
  });

  test('moves where the picture moves, and keeps what is transparent', async () => {
    const frames = await Promise.all([1, 2].map((seed) => makePicture({ width: 400, height: 200, seed: seed * 90 })));
    const moving = await withPicture(
      await sharp(frames, { join: { animated: true } })
        .gif()
        .toBuffer(),
    );
    const small = await bytesOf(await get(moving.app, `${moving.path}?w=160`, { Accept: 'image/webp' }));
    expect(await sharp(small, { animated: true }).metadata()).toMatchObject({ pages: 2, width: 160 });
    // Formats that do not move show the first frame, and not all of them below each other.
    const still = await bytesOf(await get(moving.app, `${moving.path}?w=160`));
    expect(await sharp(still).metadata()).toMatchObject({ format: 'png', width: 160, height: 80 });
    const create = { width: 400, height: 200, channels: 4, background: { r: 255, g: 0, b: 0, alpha: 0.5 } } as const;
    const clear = await withPicture(await sharp({ create }).png().toBuffer());
    const png = await bytesOf(await get(clear.app, `${clear.path}?w=160`));
    expect(await sharp(png).metadata()).toMatchObject({ format: 'png', hasAlpha: true });
  });

  test('is made once, however many ask for it at the same time', async () => {
    const { app, path } = await withPicture(await makePicture({ width: 2000, height: 1000 }));
    const answers = await Promise.all(Array.from({ length: 20 }, () => get(app, `${path}?w=640`)));
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]));
    const made = (await readdir(join(app.data, 'cache'))).filter((name) => name.includes('.640.'));
    expect(made).toHaveLength(1);
  });

  test('of 320 pixels exists from the upload on', async () => {
    const { app, image } = await withPicture(await makePicture({ width: 2000, height: 1000 }));
    expect(await readdir(join(app.data, 'cache'))).toEqual([`${ownerOf(image)}.${image.id}.320.webp`]);
  });

  test('makes room for others when the cache is full, and is made again when it is asked for', async () => {
    const { app, token } = await loggedIn({ cacheSize: 3000 });
    const paths: string[] = [];
    for (let seed = 0; seed < 12; seed += 1) {
      const picture = await makePicture({ width: 700, height: 500, seed });
      paths.push(new URL((await imageOf(await app.upload(token, picture))).url).pathname);
    }
    for (const path of [...paths, ...paths]) {
      expect((await get(app, `${path}?w=640`, { Accept: 'image/webp' })).status).toBe(200);
    }
    const names = await readdir(join(app.data, 'cache'));
    expect(names.length).toBeLessThan(24);
    expect(names.length).toBeGreaterThan(0);
  });

  test('is made again when the cache was removed, in which nothing else is kept', async () => {
    const { app, path, token } = await withPicture(await makePicture({ width: 2000, height: 1000 }));
    await rm(join(app.data, 'cache'), { recursive: true });
    for (const width of [320, 320, 640]) {
      const answer = await get(app, `${path}?w=${width}`, { Accept: 'image/webp' });
      expect(await sharp(await bytesOf(answer)).metadata()).toMatchObject({ width, format: 'webp' });
    }
    await rm(join(app.data, 'cache'), { recursive: true });
    expect((await app.upload(token, await makePicture())).status).toBe(201);
  });

  test('larger than the whole cache is not kept, and the picture is answered in its place', async () => {
    const { app, token } = await loggedIn({ cacheSize: 1000 });
    const noise = randomBytes(900 * 700 * 3);
    const picture = await sharp(noise, { raw: { width: 900, height: 700, channels: 3 } })
      .png()
      .toBuffer();
    const path = new URL((await imageOf(await app.upload(token, picture))).url).pathname;
    expect((await bytesOf(await get(app, `${path}?w=640`))).equals(picture)).toBe(true);
    expect(await readdir(join(app.data, 'cache'))).toEqual([]);
    await app.close();
    await writeFile(join(app.data, 'cache', 'of-a-larger-cache.webp'), picture);
    await openApp({ data: app.data, cacheSize: 1000 });
    expect(await readdir(join(app.data, 'cache'))).toEqual([]);
  });

  test.each([
    ['*/*', 'jpeg'],
    ['image/*', 'jpeg'],
    ['image/webp;q=0, image/jpeg', 'jpeg'],
    ['*/*, image/webp; q=0.0', 'jpeg'],
    ['image/webpx', 'jpeg'],
    ['text/html;x="image/webp"', 'jpeg'],
    ['image/avif,image/webp,image/apng,*/*;q=0.8', 'webp'],
    ['image/jpeg, IMAGE/WEBP;q=0.5', 'webp'],
  ])('for a client that accepts %s is a %s', async (accept, format) => {
    const { app, path } = await withPicture(await makePicture({ format: 'jpeg', width: 400, height: 200 }));
    const { headers } = await get(app, `${path}?w=160`, { Accept: accept });
    expect(headers.get('content-type')).toBe(`image/${format}`);
  });

  test.each(['0', '100', '319', '-1', '320px', ''])('of w=%j is refused', async (width) => {
    const { app, path } = await withPicture(await makePicture());
    expect(await refusal(await get(app, `${path}?w=${width}`))).toBe('400 invalid_request');
  });
});

describe('my pictures', () => {
  const list = async (app: TestApp, token: string, query = '') =>
    (await (await get(app, `/api/images${query}`, bearer(token))).json()) as ImagesResponse;

  test('are listed from the newest to the oldest, page by page, with what they take in all', async () => {
    const { app, token } = await loggedIn();
    const uploaded: ImageResponse[] = [];
    for (let seed = 0; seed < 5; seed += 1) {
      app.clock.now += 1;
      uploaded.unshift(await imageOf(await app.upload(token, await makePicture({ seed }))));
    }
    const bytes = uploaded.reduce((sum, image) => sum + image.bytes, 0);
    expect(await list(app, token)).toEqual({ images: uploaded, next: null, total: { pictures: 5, bytes } });
    const pages: ImagesResponse[] = [await list(app, token, '?limit=2')];
    for (let next = pages[0]?.next; next; next = pages.at(-1)?.next) {
      pages.push(await list(app, token, `?limit=2&after=${next}`));
    }
    expect(pages.map((page) => page.images.length)).toEqual([2, 2, 1]);
    expect(pages.flatMap((page) => page.images)).toEqual(uploaded);
    const eve = await app.register('eve');
    expect(await list(app, eve.access_token)).toEqual({ images: [], next: null, total: { pictures: 0, bytes: 0 } });
  });

  test('are listed to their end while some are being removed', async () => {
    const { app, token } = await loggedIn();
    for (let seed = 0; seed < 5; seed += 1) await app.upload(token, await makePicture({ seed }));
    const { images } = await list(app, token);
    // As a removal leaves it for a moment: the record gone, and the index of names not told yet.
    for (const image of images.slice(0, 2)) await rm(join(app.data, 'images', ownerOf(image), `${image.id}.json`));
    const first = await list(app, token, '?limit=2');
    expect(first).toMatchObject({ images: [], next: images[1]?.id });
    const second = await list(app, token, `?limit=2&after=${first.next}`);
    expect(second).toMatchObject({ images: images.slice(2, 4), next: images[3]?.id });
  });

  test('are counted rightly when they are removed while they are being counted', async () => {
    const { app, token } = await loggedIn();
    const [one, other] = [await makePicture({ width: 300 }), await makePicture({ seed: 1 })];
    const image = await imageOf(await app.upload(token, one));
    await app.upload(token, other);
    await app.close();
    // As a removal leaves it for a moment: the name was still read, the size no longer.
    await rm(join(app.data, 'images', ownerOf(image), `${image.id}.png`));
    const again = await openApp({ data: app.data });
    expect((await list(again, token)).total).toEqual({ pictures: 2, bytes: other.length });
    await again.request(`/api/images/${image.id}`, { method: 'DELETE', headers: bearer(token) });
    expect((await list(again, token)).total).toEqual({ pictures: 1, bytes: other.length });
  });

  test.each(['limit=0', 'limit=201', 'limit=x', 'limit=1e2', 'limit='])('with %s are refused', async (query) => {
    const { app, token } = await loggedIn();
    expect(await refusal(await get(app, `/api/images?${query}`, bearer(token)))).toBe('400 invalid_request');
  });

  test('are shown and removed one by one: gone at once, with small versions and for good', async () => {
    const { app, token, image, path } = await withPicture(await makePicture({ width: 800, height: 600 }));
    await get(app, `${path}?w=160`);
    expect(await imageOf(await get(app, `/api/images/${image.id}`, bearer(token)))).toEqual(image);
    const remove = () => app.request(`/api/images/${image.id}`, { method: 'DELETE', headers: bearer(token) });
    expect((await remove()).status).toBe(204);
    for (const query of ['', '?w=160', '?w=320']) expect((await get(app, path + query)).status).toBe(404);
    expect(await refusal(await remove())).toBe('404 not_found');
    expect(await refusal(await get(app, `/api/images/${image.id}`, bearer(token)))).toBe('404 not_found');
    expect(await filesOf(app.data)).toEqual([]);
    expect((await list(app, token)).total).toEqual({ pictures: 0, bytes: 0 });
    await app.close();
    const again = await openApp({ data: app.data });
    expect((await get(again, path)).status).toBe(404);
  });

  test('are nobody else’s to show or remove', async () => {
    const { app, image, path } = await withPicture(await makePicture());
    const eve = bearer((await app.register('eve')).access_token);
    expect(await refusal(await get(app, `/api/images/${image.id}`, eve))).toBe('404 not_found');
    const removal = await app.request(`/api/images/${image.id}`, { method: 'DELETE', headers: eve });
    expect(await refusal(removal)).toBe('404 not_found');
    expect((await get(app, path)).status).toBe(200);
  });

  test('removed and uploaded again have a new link', async () => {
    const { app, token, image, picture } = await withPicture(await makePicture());
    await app.request(`/api/images/${image.id}`, { method: 'DELETE', headers: bearer(token) });
    const answer = await app.upload(token, picture);
    expect([answer.status, (await imageOf(answer)).url === image.url]).toEqual([201, false]);
  });

  test('stay within a quota, several uploads at once too', async () => {
    const sizes = await Promise.all([0, 1, 2].map(async (seed) => (await makePicture({ seed })).length));
    const { app, token } = await loggedIn({ quota: Math.max(...sizes) * 3 });
    const pictures = await Promise.all(Array.from({ length: 20 }, (_, seed) => makePicture({ seed })));
    const answers = await Promise.all(pictures.map((picture) => app.upload(token, picture)));
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(3);
    const refused = answers.find((answer) => answer.status !== 201);
    expect(refused && (await refusal(refused))).toBe('507 quota_exceeded');
    const { images, total } = await list(app, token);
    expect(total.bytes).toBeLessThanOrEqual(Math.max(...sizes) * 3);
    await app.request(`/api/images/${images[0]?.id}`, { method: 'DELETE', headers: bearer(token) });
    expect((await app.upload(token, await makePicture({ seed: 77 }))).status).toBe(201);
  });
});

describe('a quota that is used up', () => {
  async function full() {
    const picture = await makePicture();
    const { app, token } = await loggedIn({ quota: picture.length });
    expect((await app.upload(token, picture)).status).toBe(201);
    return { app, token, picture };
  }
  const digestOf = (bytes: Buffer) => ({
    'Repr-Digest': `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`,
  });

  test('still answers bytes that are there already, with their digest announced and without', async () => {
    const { app, token, picture } = await full();
    for (const headers of [{}, digestOf(picture)]) {
      expect((await app.upload(token, picture, headers)).status).toBe(200);
    }
  });

  test('refuses others, before they are sent where their digest is announced', async () => {
    const { app, token } = await full();
    const other = await makePicture({ seed: 1 });
    expect(await refusal(await app.upload(token, other))).toBe('507 quota_exceeded');
    const answer = await app.upload(token, other, digestOf(other));
    expect(answer.headers.get('ratelimit')).toBeNull();
    expect(await refusal(answer)).toBe('507 quota_exceeded');
  });
});

describe('a picture that expires', () => {
  const expires = (time: string) => ({ 'X-Imgup-Expires': time });

  test('is gone for readers at once, and from the disk with the next sweep', async () => {
    const { app, token, image, path } = await withPicture(await makePicture(), expires('1h'));
    expect(image.expires_at).toBe('2026-01-01T13:00:00.000Z');
    expect((await get(app, path)).headers.get('cache-control')).toBe('public, max-age=60');
    app.clock.now += HOUR - 5500;
    // No copy elsewhere may outlive it.
    expect((await get(app, path)).headers.get('cache-control')).toBe('public, max-age=5');
    app.clock.now += 5499;
    expect((await get(app, path)).headers.get('cache-control')).toBe('public, max-age=0');
    app.clock.now += 1;
    expect((await get(app, path)).status).toBe(404);
    expect(await refusal(await get(app, `/api/images/${image.id}`, bearer(token)))).toBe('401 token_expired');
    await app.close();
    const again = await openApp({ data: app.data, now: () => app.clock.now });
    expect(await filesOf(app.data)).toEqual([]);
    expect(await readdir(join(app.data, 'expiring'))).toEqual([]);
    expect(await readdir(join(app.data, 'cache'))).toEqual([]);
    await again.close();
  });

  test('uploaded again lives as long as the later upload asks for, and for good where that asks for no end', async () => {
    const { app, token, path, picture } = await withPicture(await makePicture(), expires('10m'));
    const again = await imageOf(
      await app.upload(token, picture, expires('5m')).then(async (answer) => {
        expect(await refusal(answer)).toBe('400 invalid_request');
        return app.upload(token, picture, expires('1d'));
      }),
    );
    expect(again.expires_at).toBe('2026-01-02T12:00:00.000Z');
    const shorter = await imageOf(await app.upload(token, picture, expires('1h')));
    expect(shorter.expires_at).toBe('2026-01-02T12:00:00.000Z');
    expect((await imageOf(await app.upload(token, picture))).expires_at).toBeNull();
    await app.close();
    const later = await openApp({ data: app.data, now: () => app.clock.now + 30 * DAY });
    expect((await get(later, path)).status).toBe(200);
    expect(await readdir(join(app.data, 'expiring'))).toEqual([]);
  });

  test('uploaded again after its end is a new picture', async () => {
    const { app, image, picture } = await withPicture(await makePicture(), expires('10m'));
    app.clock.now += 11 * MINUTE;
    const { access_token } = (await (
      await app.post('/api/login', { username: 'ada', password: 'a long enough secret' })
    ).json()) as { access_token: string };
    const answer = await app.upload(access_token, picture);
    expect(answer.status).toBe(201);
    const next = await imageOf(answer);
    expect(next.url).not.toBe(image.url);
    await app.close();
    const again = await openApp({ data: app.data, now: () => app.clock.now + HOUR });
    expect((await get(again, new URL(next.url).pathname)).status).toBe(200);
    expect(await filesOf(app.data)).toHaveLength(3);
  });

  test.each(['9m', '366d', 'soon', '', '-1h', '10'])('in %j is refused', async (time) => {
    const { app, token } = await loggedIn();
    const answer = await app.upload(token, await makePicture(), expires(time));
    expect(await refusal(answer)).toBe('400 invalid_request');
  });
});
