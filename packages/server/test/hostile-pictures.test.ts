import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSharpDecoder } from '../src/adapters/sharp/picture-decoder.ts';
import { AppError } from '../src/errors.ts';
import type { PictureDecoder } from '../src/ports/picture-decoder.ts';
import { asApng, detailed, moving, pngChunk, strip } from './metadata.ts';
import { makePicture } from './pictures.ts';
import { filesOf, imageOf, openApp, refusal } from './test-app.ts';

const decoders = new Map<number, PictureDecoder>();
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imgup-hostile-'));
});

afterAll(async () => {
  await Promise.all([...decoders.values()].map((decoder) => decoder.close()));
  await rm(folder, { recursive: true });
});

function decoderFor(maxPixels = 64e6): PictureDecoder {
  const decoder = decoders.get(maxPixels) ?? createSharpDecoder({ maxPixels });
  decoders.set(maxPixels, decoder);
  return decoder;
}

/** What is said of a picture: "accepted", or code and detail. */
async function verdict(picture: Buffer, maxPixels?: number): Promise<string> {
  const [path, small] = [join(folder, randomUUID()), join(folder, randomUUID())];
  await writeFile(path, picture);
  try {
    await decoderFor(maxPixels).check(path, small);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    expect(existsSync(small)).toBe(false);
    return `${error.code}: ${error.message}`;
  }
}

async function loggedIn() {
  const app = await openApp({ uploadLimit: { uploads: 10_000, windowMs: 60_000 } });
  const { access_token: token } = await app.register('ada');
  return { app, token };
}

const u32 = (...values: number[]) => {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index);
  return bytes;
};

describe('a side that is too long is refused for what the header says', () => {
  test('of a PNG of few pixels', async () => {
    const picture = await makePicture({ width: 32_768, height: 4 });
    expect(await verdict(picture)).toMatch(/^image_too_many_pixels: .*a side of 32768 pixels/);
    expect(await verdict(await makePicture({ width: 4, height: 32_767 }))).toBe('accepted');
  });

  test('of an AVIF whose decoder would take gigabytes before it finds that the pixels are not there', async () => {
    const avif = await makePicture({ format: 'avif', width: 64, height: 64 });
    u32(15_204_356, 4).copy(avif, avif.indexOf('ispe') + 8);
    expect(await verdict(avif)).toMatch(/^image_too_many_pixels/);
  });
});

describe('a JPEG in many scans', () => {
  /** The last scan of a progressive JPEG, again and again. */
  async function inScans(count: number): Promise<Buffer> {
    const jpeg = await detailed().jpeg({ progressive: true }).toBuffer();
    const scans = jpeg.toString('latin1').split('\xff\xda').length - 1;
    const last = jpeg.subarray(jpeg.lastIndexOf(Buffer.from([0xff, 0xda])), -2);
    return Buffer.concat([jpeg.subarray(0, -2), ...Array<Buffer>(count - scans).fill(last), jpeg.subarray(-2)]);
  }

  test('is refused where each costs a walk over all pixels', async () => {
    expect(await verdict(await inScans(101))).toMatch(/^image_invalid: .*101 scans/);
  });

  test('is not made smaller for a viewer either, where an upload counts by its header', async () => {
    const [path, small] = [join(folder, randomUUID()), join(folder, randomUUID())];
    await writeFile(path, await inScans(101));
    await expect(decoderFor().shrink(path, small, 160, 'webp')).rejects.toMatchObject({
      code: 'image_invalid',
      message: expect.stringContaining('101 scans'),
    });
    await writeFile(path, await detailed().jpeg({ progressive: true }).toBuffer());
    await decoderFor().shrink(path, small, 160, 'webp');
  });

  test('is accepted where they are as many as programs make, and pixels only look like them', async () => {
    expect(await verdict(await detailed().jpeg({ progressive: true }).toBuffer())).toBe('accepted');
    const { app, token } = await loggedIn();
    // A comment is no scan, whatever it holds; nor is anything behind the end.
    const fake = Buffer.concat([Buffer.from([0xff, 0xfe, 2, 2]), Buffer.alloc(512, Buffer.from([0xff, 0xda]))]);
    const jpeg = await detailed().jpeg().toBuffer();
    const kept = Buffer.concat([jpeg.subarray(0, 2), fake, jpeg.subarray(2), Buffer.alloc(512, fake.subarray(4, 6))]);
    expect((await app.upload(token, kept, { 'X-Imgup-Metadata': 'keep' })).status).toBe(201);
  });
});

describe('the frames of a moving PNG', () => {
  interface FrameOptions {
    width?: number;
    height?: number;
    x?: number;
    data?: Buffer;
  }

  /** A moving PNG of 8 x 6 grey pixels, or of others that fit. */
  function apng(frames: FrameOptions[], { width = 8, height = 6, interlaced = false, hidden = false } = {}): Buffer {
    const data = (w: number, h: number) => deflateSync(Buffer.alloc((w + 1) * h));
    let sequence = 0;
    const header = Buffer.concat([u32(width, height), Buffer.from([8, 0, 0, 0, interlaced ? 1 : 0])]);
    const chunks = frames.flatMap((frame, index) => {
      const { width: w = width, height: h = height, x = 0 } = frame;
      const control = pngChunk('fcTL', Buffer.concat([u32(sequence, w, h, x, 0), Buffer.from([0, 1, 0, 10, 0, 0])]));
      sequence += 1;
      const pixels = frame.data ?? data(w, h);
      if (index === 0 && !hidden) return [control, pngChunk('IDAT', pixels)];
      sequence += 1;
      return [control, pngChunk('fdAT', Buffer.concat([u32(sequence - 1), pixels]))];
    });
    return Buffer.concat([
      Buffer.from('89504e470d0a1a0a', 'hex'),
      pngChunk('IHDR', header),
      pngChunk('acTL', u32(frames.length, 0)),
      ...(hidden ? [pngChunk('IDAT', data(width, height))] : []),
      ...chunks,
      end,
    ]);
  }

  const end = pngChunk('IEND', '');

  /** Replaces the first of some bytes. */
  function swap(picture: Buffer, before: Buffer, after: Buffer): Buffer {
    const at = picture.indexOf(before);
    if (at === -1) throw new Error('there is nothing to replace');
    return Buffer.concat([picture.subarray(0, at), after, picture.subarray(at + before.length)]);
  }

  const good = deflateSync(Buffer.alloc(9 * 6));
  test('are accepted where they are as they should be, smaller than the picture and in many colours too', async () => {
    expect(await verdict(apng([{}, { width: 4, height: 2, x: 4 }]))).toBe('accepted');
    expect(await verdict(apng([{}], { hidden: true }))).toBe('accepted');
  });

  test('are counted, under the limits of frames and of pixels', async () => {
    const many = (count: number) => apng([{}, ...Array.from({ length: count - 1 }, () => ({ width: 1, height: 1 }))]);
    expect(await verdict(many(1000))).toBe('accepted');
    expect(await verdict(many(1001))).toMatch(/^image_too_many_pixels: .*1001 frames/);
    expect(await verdict(apng([{}, {}, {}]), 3 * 48)).toBe('accepted');
    expect(await verdict(apng([{}, {}, {}]), 3 * 48 - 1)).toMatch(/^image_too_many_pixels/);
  });

  test.each<[string, FrameOptions[]]>([
    ['outside of the picture', [{}, { x: 1 }]],
    ['of no pixels', [{}, { width: 0 }]],
    ['of garbage', [{}, { data: Buffer.from('<script>alert(1)</script>') }]],
    ['without data', [{}, { data: Buffer.alloc(0) }]],
    ['cut short', [{}, { data: good.subarray(0, -5) }]],
    ['of too few rows', [{}, { data: deflateSync(Buffer.alloc(9 * 5)) }]],
    ['of too many rows', [{}, { data: deflateSync(Buffer.alloc(9 * 7)) }]],
    ['that is a bomb', [{}, { data: deflateSync(Buffer.alloc(50e6)) }]],
    ['with a filter that there is not', [{}, { data: deflateSync(Buffer.alloc(9 * 6, 5)) }]],
    ['with something behind it', [{}, { data: Buffer.concat([good, Buffer.from('<script>alert(1)</script>')]) }]],
    ['with much behind it', [{}, { data: Buffer.concat([good, Buffer.alloc(500_000, 'secret')]) }, {}]],
    ['with something behind the first', [{ data: Buffer.concat([good, Buffer.from('secret')]) }]],
    ['whose first is smaller than the picture', [{ width: 4 }]],
  ])('are refused with one %s', async (_, frames) => {
    expect(await verdict(apng(frames))).toMatch(/^image_invalid/);
  });

  test.each<[string, (picture: Buffer) => Buffer]>([
    ['numbers are wrong', (picture) => swap(picture, Buffer.from('fcTL\0\0\0\x01'), Buffer.from('fcTL\0\0\0\x07'))],
    ['pixels are missing', (picture) => Buffer.concat([picture.subarray(0, picture.indexOf('fdAT') - 4), end])],
    ['pixels are nobody’s', (picture) => swap(picture, Buffer.from('fcTL'), Buffer.from('xxTL'))],
  ])('go where their %s, for the first is a picture all the same', async (_, spoil) => {
    const { bytes, removed } = await strip(spoil(apng([{}, {}, {}])), 'image/png');
    expect(removed).toContain('second picture');
    expect(bytes.toString('latin1')).not.toMatch(/acTL|fcTL|fdAT/);
    expect(await verdict(bytes)).toBe('accepted');
  });

  test('are measured in passes where they are interlaced', async () => {
    // The passes of 8 x 6 pixels: as many rows as `height`, each of as many pixels as `width`.
    const passes = [
      [1, 1],
      [1, 1],
      [2, 1],
      [2, 2],
      [4, 1],
      [4, 3],
      [8, 3],
    ] as const;
    const bytes = passes.reduce((sum, [width, height]) => sum + (width + 1) * height, 0);
    const frame = (length: number) => ({ data: deflateSync(Buffer.alloc(length)) });
    const interlaced = (...lengths: number[]) => apng(lengths.map(frame), { interlaced: true });
    expect(await verdict(interlaced(bytes, bytes))).toBe('accepted');
    expect(await verdict(interlaced(bytes, bytes - 1))).toMatch(/^image_invalid/);
    expect(await verdict(interlaced(bytes, bytes + 1))).toMatch(/^image_invalid/);
  });
});

test('a WebP that is damaged is the picture’s fault, and not the storage’s', async () => {
  const webp = await detailed(200, 200).webp().toBuffer();
  const told: string[] = [];
  for (let at = 30; at < webp.length; at += 200) {
    const damaged = Buffer.from(webp);
    damaged.fill(0xff, at, at + 40);
    told.push(await verdict(damaged));
  }
  expect(told.join()).toContain('image_invalid');
  expect(told.join()).not.toContain('storage');
});

test.skipIf(!existsSync('/dev/full'))(
  'a disk that is full, or a file that is gone, is not the picture’s fault',
  async () => {
    const decoder = decoderFor();
    const path = join(folder, 'picture');
    await writeFile(path, await makePicture({ width: 700, height: 500 }));
    const link = join(folder, 'full');
    await symlink('/dev/full', link);
    await expect(decoder.check(path, link)).rejects.toMatchObject({ code: 'storage_full' });
    await expect(decoder.check(join(folder, 'gone'), join(folder, 'small'))).rejects.toMatchObject({
      code: 'storage_unavailable',
    });
    expect((await stat('/dev/full')).isCharacterDevice()).toBe(true);
  },
);

test('a picture that is large enough to wait for its turn is decoded, too', async () => {
  const create = { width: 4001, height: 4001, channels: 3, background: 'red' } as const;
  const jpeg = await sharp({ create }).jpeg().toBuffer();
  expect(await verdict(jpeg)).toBe('accepted');
  expect(await verdict(jpeg.subarray(0, jpeg.length / 2))).toMatch(/^image_invalid/);
});

describe('a picture that is very tall', () => {
  test.each(['png', 'jpeg'] as const)('is accepted as a %s, and has small versions', async (format) => {
    const { app, token } = await loggedIn();
    const answer = await app.upload(token, await makePicture({ format, width: 700, height: 30_000 }));
    const { pathname } = new URL((await imageOf(answer)).url);
    for (const [accept, type, height] of [
      ['image/webp', 'webp', 16_383],
      ['*/*', format, 27_429],
    ] as const) {
      const small = await app.request(`${pathname}?w=640`, { headers: { Accept: accept } });
      expect(small.status).toBe(200);
      const found = await sharp(Buffer.from(await small.arrayBuffer())).metadata();
      expect(found).toMatchObject({ format: type, height });
    }
  });
});

test('a moving picture that says how it is to be turned is accepted', async () => {
  for (const orientation of [3, 5, 6, 8]) {
    const frames = sharp(await moving('webp'), { animated: true });
    const webp = await frames.withMetadata({ orientation }).webp().toBuffer();
    expect((await sharp(webp).metadata()).orientation).toBe(orientation);
    expect(await verdict(webp)).toBe('accepted');
  }
});

test.each([{}, { 'X-Imgup-Metadata': 'keep' }])(
  'what is refused leaves nothing behind, sent with %j',
  async (headers) => {
    const { app, token } = await loggedIn();
    const picture = asApng(await makePicture());
    picture.fill(0, picture.indexOf('fdAT') + 8, picture.indexOf('fdAT') + 20);
    expect(await refusal(await app.upload(token, picture, headers))).toBe('422 image_invalid');
    expect([await filesOf(app.data), await readdir(join(app.data, 'cache'))]).toEqual([[], []]);
  },
);

test('links that are slow to answer keep nobody from uploading', async () => {
  const decoder = decoderFor();
  const [large, small] = [join(folder, 'large'), join(folder, 'small')];
  await writeFile(large, await makePicture({ width: 6000, height: 5000 }));
  await writeFile(small, await makePicture());
  await decoder.check(small, join(folder, 'first'));
  let viewed = 0;
  const views = Array.from({ length: 12 }, async (_, index) => {
    await decoder.shrink(large, join(folder, `${index}`), 2560, 'png');
    viewed += 1;
  });
  await decoder.check(small, join(folder, 'second'));
  expect(viewed).toBeLessThan(6);
  await Promise.all(views);
}, 60_000);
