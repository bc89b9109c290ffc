import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { pngChunk } from './metadata.ts';
import { openApp, problemOf } from './test-app.ts';

async function photo(width = 300, height = 200): Promise<Buffer> {
  const noise = { type: 'gaussian', mean: 128, sigma: 30 } as const;
  return sharp({ create: { width, height, channels: 3, background: 'red', noise } })
    .jpeg()
    .toBuffer();
}

test('with --verify header a picture counts by its header, and small versions are made when they are asked for', async () => {
  const app = await openApp({ verify: 'header' });
  const { access_token: token } = await app.register('ada');
  const answer = await app.upload(token, await photo());
  expect(answer.status).toBe(201);
  const image = (await answer.json()) as { url: string; width: number; height: number };
  expect(image).toMatchObject({ width: 300, height: 200 });
  expect(await readdir(join(app.data, 'cache'))).toEqual([]);
  const small = await app.request(`${new URL(image.url).pathname}?w=160`);
  expect(small.status).toBe(200);
  expect(await readdir(join(app.data, 'cache'))).toHaveLength(1);
});

test('what only decoding finds is refused by default, and admitted with --verify header', async () => {
  const whole = await sharp(await photo())
    .png()
    .toBuffer();
  // The pixels of the lower half are missing; the structure is as it should be.
  const at = whole.indexOf('IDAT') - 4;
  const pixels = whole.subarray(at + 8, at + 8 + whole.readUInt32BE(at));
  const end = pngChunk('IEND', '');
  const cut = Buffer.concat([whole.subarray(0, at), pngChunk('IDAT', pixels.subarray(0, pixels.length / 2)), end]);
  for (const [verify, status] of [
    ['full', 422],
    ['header', 201],
  ] as const) {
    const app = await openApp({ verify });
    const { access_token: token } = await app.register('ada');
    expect((await app.upload(token, cut)).status, verify).toBe(status);
  }
});

test('a side that no decoder should meet is refused, for small versions are made of it all the same', async () => {
  const app = await openApp({ verify: 'header' });
  const { access_token: token } = await app.register('ada');
  const wide = await sharp({ create: { width: 32_768, height: 1, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  expect(await problemOf(await app.upload(token, wide))).toMatchObject({ code: 'image_too_many_pixels' });
});

test('limits and private metadata are minded all the same', async () => {
  const app = await openApp({ verify: 'header', maxPixels: 50_000 });
  const { access_token: token } = await app.register('ada');
  expect(await problemOf(await app.upload(token, await photo()))).toMatchObject({ code: 'image_too_many_pixels' });
  expect(await problemOf(await app.upload(token, Buffer.from('no picture')))).toMatchObject({
    code: 'image_type_unsupported',
  });
  const named = await sharp(await photo(100, 100))
    .withExif({ IFD0: { Model: 'a camera' } })
    .jpeg()
    .toBuffer();
  const { removed } = (await (await app.upload(token, named)).json()) as { removed: string[] };
  expect(removed).toContain('camera model');
});
