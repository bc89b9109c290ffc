import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ImageType } from '@imgup/shared';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stripMetadata } from '../src/adapters/metadata/strip-metadata.ts';
import { AppError } from '../src/errors.ts';
import {
  asWebp,
  box,
  cameraExif,
  detailed,
  gifExtension,
  insert,
  jpegSegment,
  MARKER,
  moving,
  pngChunk,
  strip,
  stripTo,
  webpChunk,
} from './metadata.ts';

const ZIP = Buffer.concat([
  Buffer.from('PK\x03\x04'),
  Buffer.alloc(26),
  Buffer.from(MARKER),
  Buffer.from('PK\x05\x06'),
  Buffer.alloc(18),
]);
const exif = cameraExif({ orientation: 6 });
const u32 = (...values: number[]) => {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index);
  return bytes;
};

/** A picture of each format with metadata in it, and its type. */
async function rich(): Promise<[name: string, type: ImageType, picture: Buffer][]> {
  const jpeg = await detailed().withIccProfile('p3').jpeg({ progressive: true }).toBuffer();
  const png = await detailed().withIccProfile('p3').png().toBuffer();
  const avif = detailed()
    .withIccProfile('p3')
    .withExif({ IFD0: { Artist: MARKER } })
    .withXmp(MARKER);
  return [
    [
      'jpeg',
      'image/jpeg',
      insert(jpeg, 2, jpegSegment(0xe1, Buffer.concat([Buffer.from('Exif\0\0'), exif])), jpegSegment(0xfe, MARKER)),
    ],
    ['png', 'image/png', insert(png, 33, pngChunk('eXIf', exif), pngChunk('tEXt', `Author\0${MARKER}`))],
    ['gif', 'image/gif', insert(await moving('gif'), (await moving('gif')).length - 1, gifExtension(0xfe, MARKER))],
    [
      'webp',
      'image/webp',
      asWebp(Buffer.concat([await moving('webp'), webpChunk('EXIF', exif), webpChunk('XMP ', MARKER)])),
    ],
    ['avif', 'image/avif', await avif.avif({ effort: 0 }).toBuffer()],
  ];
}

let folder: string;
let pictures: Awaited<ReturnType<typeof rich>>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imgup-hostile-'));
  pictures = await rich();
});
afterAll(() => rm(folder, { recursive: true }));

/** What became of a file: its bytes, or null where it was refused as it should be. Anything else fails. */
async function attempt(type: ImageType, bytes: Buffer): Promise<Buffer | null> {
  const own = await mkdtemp(join(folder, 'attempt-'));
  const [from, to] = [join(own, 'from'), join(own, 'to')];
  await writeFile(from, bytes);
  try {
    await stripTo({ from, to, type });
    return await readFile(to);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'image_invalid') throw error;
    expect(await readdir(own)).toEqual(['from']);
    return null;
  } finally {
    await rm(own, { recursive: true });
  }
}

/** Many at a time, for most of the time of each is waiting for the disk. */
async function inBatches<T>(values: T[], work: (value: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < values.length; from += 24) await Promise.all(values.slice(from, from + 24).map(work));
}

describe('what is behind the end of a picture', () => {
  test.each([
    ['an archive', ZIP],
    ['a page', Buffer.from(`<html><body>${MARKER}</body></html>`)],
    ['a script', Buffer.from(`*/=1;${MARKER}//`)],
    ['a second picture', Buffer.concat([Buffer.from('\xff\xd8\xff\xe1', 'latin1'), Buffer.from(MARKER)])],
    ['a film', Buffer.concat([box('ftyp', 'mp42'), box('mdat', MARKER)])],
  ])('goes: %s', async (_, payload) => {
    for (const [name, type, picture] of pictures) {
      const stripped = await attempt(type, Buffer.concat([picture, payload]));
      expect({ name, left: stripped?.includes('script') }).toEqual({ name, left: false });
    }
  });

  test('goes from a GIF that is a script as well', async () => {
    // "GIF89a/*" is a picture of 10,799 pixels' width to one program, and a comment of a script to another.
    const gif = await detailed(8, 8).gif().toBuffer();
    gif.write('/*', 6, 'latin1');
    const picture = insert(gif, gif.length - 1, gifExtension(0xfe, '*/=1;alert(1);/*'));
    const stripped = await attempt('image/gif', Buffer.concat([picture, Buffer.from('*/;alert(1)')]));
    expect(stripped?.includes('alert')).toBe(false);
  });
});

describe('a picture that is damaged', () => {
  test('by being cut anywhere is refused, or what is left of it is clean', async () => {
    for (const [name, type, picture] of pictures) {
      let refused = 0;
      const lengths = Array.from({ length: 40 }, (_, index) => Math.floor((picture.length * index) / 40));
      await inBatches([...lengths, ...[1, 2, 3, 4, 8, 12].map((less) => picture.length - less)], async (length) => {
        const stripped = await attempt(type, picture.subarray(0, length));
        if (stripped === null) refused += 1;
        else expect(stripped.includes('script')).toBe(false);
      });
      // A GIF may end behind any of its frames.
      if (name !== 'gif') expect({ name, refused }).toEqual({ name, refused: 46 });
      expect(refused).toBeGreaterThan(35);
    }
  });

  test('by bytes that changed is refused, or comes out in a way that is not changed again', async () => {
    // The same numbers each time, so that what fails once fails again (Park and Miller's generator).
    let state = 20_260_101;
    const random = (below: number) => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    let results = 0;
    const wild = [0, 1, 0x7f, 0x80, 0xff];
    for (const [, type, picture] of pictures) {
      const damagedOnes = Array.from({ length: 64 }, (_, round) => {
        const changed = Buffer.from(picture);
        for (let count = 1 + random(4); count > 0; count -= 1) {
          // The structure is in the beginning more than behind it.
          const at = round % 2 === 0 ? random(Math.min(1200, picture.length)) : random(picture.length);
          changed[at] = wild[random(wild.length)] ?? 0;
        }
        return changed;
      });
      await inBatches(damagedOnes, async (changed) => {
        const stripped = await attempt(type, changed);
        if (stripped === null) return;
        results += 1;
        expect((await attempt(type, stripped))?.equals(stripped)).toBe(true);
      });
    }
    expect(results).toBeGreaterThan(50);
  });
});

const ftyp = box('ftyp', 'avif\0\0\0\0avifmif1');
const handler = box('hdlr', u32(0, 0), 'pict', u32(0, 0, 0), '\0');
const primary = box('pitm', u32(0), Buffer.from([0, 1]));
const info = box('iinf', u32(0), Buffer.from([0, 1]), box('infe', Buffer.from([2, 0, 0, 0, 0, 1, 0, 0]), 'av01\0'));
const properties = box('iprp', box('ipco'), box('ipma', u32(0, 0)));
const place = (...values: number[]) =>
  box('iloc', u32(0), Buffer.from([0x44, 0, 0, 1, 0, 1, 0, 0, 0, 1]), u32(...values));
const meta = (...boxes: Buffer[]) => box('meta', u32(0), handler, primary, ...boxes);
/** A frame of AV1, by its header. */
const PIXELS = '2\x04PIXE';
const avif = (...boxes: Buffer[]) => Buffer.concat([ftyp, ...boxes, box('mdat', PIXELS)]);
const pixelsAt = avif(meta(info, properties, place(0, 0))).length - 6;
const picture = avif(meta(info, properties, place(pixelsAt, 6)));
const track = (...tables: Buffer[]) =>
  box('moov', box('trak', box('mdia', handler, box('minf', box('stbl', box('stsd', u32(0, 0)), ...tables)))));

describe('a structure that lies', () => {
  test('the picture that the following ones are made of is one', async () => {
    expect((await attempt('image/avif', picture))?.equals(picture)).toBe(true);
  });

  test('what else there is in an AVIF is cut off behind it, and overwritten in its midst', async () => {
    const behind = await attempt('image/avif', Buffer.concat([picture, box('ftyp', MARKER), box('mdat', MARKER)]));
    expect(behind?.equals(picture)).toBe(true);
    const primaryAndMore = box('pitm', u32(0), Buffer.from([0, 1]), MARKER);
    const more = avif(
      box('meta', u32(0), handler, primaryAndMore, info, properties, place(pixelsAt + MARKER.length, 6)),
    );
    expect((await attempt('image/avif', more))?.includes('script')).toBe(false);

    const others = [box('ftyp', MARKER), box('mdat', MARKER)];
    const at = pixelsAt + Buffer.concat(others).length;
    const inside = avif(meta(info, properties, place(at, 6)), ...others);
    expect(inside.indexOf(PIXELS)).toBe(at);
    const stripped = await attempt('image/avif', inside);
    expect([stripped?.length, stripped?.indexOf(PIXELS)]).toEqual([inside.length, at]);
    expect(stripped?.includes('script')).toBe(false);
  });

  const png = () => detailed().png().toBuffer();
  const jpeg = () => detailed().jpeg().toBuffer();
  const webp = () => detailed().webp().toBuffer();
  const withLength = (bytes: Buffer, at: number, value: number) => {
    bytes.writeUInt32BE(value, at);
    return bytes;
  };
  test.each<[string, ImageType, () => Promise<Buffer> | Buffer]>([
    ['a chunk of 4 GB', 'image/png', async () => withLength(await png(), 33, 0xff_ff_ff_ff)],
    ['a chunk of 2 GB', 'image/png', async () => withLength(await png(), 33, 0x7f_ff_ff_ff)],
    ['a header of nothing', 'image/png', async () => withLength(await png(), 8, 0)],
    ['two headers', 'image/png', async () => insert(await png(), 33, (await png()).subarray(8, 33))],
    [
      'an essential chunk that nobody knows',
      'image/png',
      async () => insert(await png(), 33, pngChunk('EVIL', MARKER)),
    ],
    [
      'pixels with something between',
      'image/png',
      async () => insert(await png(), (await png()).length - 12, pngChunk('teXt', ''), pngChunk('IDAT', '')),
    ],
    [
      'a palette behind the pixels',
      'image/png',
      async () => insert(await png(), (await png()).length - 12, pngChunk('PLTE', Buffer.alloc(768))),
    ],
    ['no end', 'image/png', async () => (await png()).subarray(0, -12)],
    ['no pixels', 'image/png', async () => Buffer.concat([(await png()).subarray(0, 33), (await png()).subarray(-12)])],
    ['a segment of no length', 'image/jpeg', async () => insert(await jpeg(), 2, Buffer.from([0xff, 0xe1, 0, 0]))],
    ['a segment of one byte', 'image/jpeg', async () => insert(await jpeg(), 2, Buffer.from([0xff, 0xe1, 0, 1]))],
    ['a segment longer than the file', 'image/jpeg', () => Buffer.from([0xff, 0xd8, 0xff, 0xe1, 0xff, 0xff, 1])],
    ['text in a height', 'image/jpeg', async () => insert(await jpeg(), 2, jpegSegment(0xdc, MARKER))],
    ['a second start', 'image/jpeg', async () => insert(await jpeg(), 2, Buffer.from([0xff, 0xd8]))],
    ['an end at once', 'image/jpeg', () => Buffer.from([0xff, 0xd8, 0xff, 0xd9])],
    [
      'nothing but filling',
      'image/jpeg',
      () => Buffer.concat([Buffer.from([0xff, 0xd8]), Buffer.alloc(2 ** 21, 0xff)]),
    ],
    [
      'text in a scan header',
      'image/jpeg',
      () => Buffer.concat([Buffer.from([0xff, 0xd8]), jpegSegment(0xda, MARKER)]),
    ],
    [
      'sub-blocks without end',
      'image/gif',
      async () =>
        Buffer.concat([
          (await detailed().gif().toBuffer()).subarray(0, -1),
          Buffer.from([0x21, 0xfe]),
          Buffer.alloc(2 ** 20, 1),
        ]),
    ],
    ['an end at once', 'image/gif', () => Buffer.from('GIF89a\x01\0\x01\0\0\0\0;', 'latin1')],
    ['a block that nobody knows', 'image/gif', () => Buffer.from('GIF89a\x01\0\x01\0\0\0\0<script>', 'latin1')],
    [
      'a control with a script',
      'image/gif',
      async () => insert(await detailed().gif().toBuffer(), 13 + 768, gifExtension(0xf9, MARKER)),
    ],
    ['a file of 4 GB', 'image/webp', async () => withLength(await webp(), 4, 0xff_ff_ff_ff)],
    ['a chunk of 4 GB', 'image/webp', async () => withLength(await webp(), 16, 0xff_ff_ff_ff)],
    ['a file of no length', 'image/webp', async () => withLength(await webp(), 4, 0)],
    [
      'a frame without pixels',
      'image/webp',
      () =>
        asWebp(
          Buffer.concat([
            Buffer.from('RIFF\0\0\0\0WEBP'),
            webpChunk('VP8X', Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
            webpChunk('ANMF', Buffer.alloc(16)),
          ]),
        ),
    ],
    [
      'a frame shorter than its header',
      'image/webp',
      () =>
        asWebp(
          Buffer.concat([
            Buffer.from('RIFF\0\0\0\0WEBP'),
            webpChunk('VP8X', Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
            webpChunk('ANMF', Buffer.alloc(4)),
          ]),
        ),
    ],
    ['pixels behind the end', 'image/avif', () => avif(meta(info, properties, place(pixelsAt, 7)))],
    ['pixels in the lists', 'image/avif', () => avif(meta(info, properties, place(40, 6)))],
    ['pixels "to the end"', 'image/avif', () => avif(meta(info, properties, place(pixelsAt, 0)))],
    [
      'a text for a grid',
      'image/avif',
      () => {
        const grid = box(
          'iinf',
          u32(0),
          Buffer.from([0, 1]),
          box('infe', Buffer.from([2, 0, 0, 0, 0, 1, 0, 0]), 'grid\0'),
        );
        return Buffer.concat([ftyp, meta(grid, properties, place(pixelsAt, MARKER.length)), box('mdat', MARKER)]);
      },
    ],
    [
      'pixels in another file',
      'image/avif',
      () =>
        avif(
          meta(info, properties, box('iloc', u32(0), Buffer.from([0x44, 0, 0, 1, 0, 1, 0, 1, 0, 1]), u32(pixelsAt, 6))),
        ),
    ],
    [
      'places of four billion items',
      'image/avif',
      () => avif(meta(info, properties, box('iloc', Buffer.from([2, 0, 0, 0, 0x44, 0]), u32(0xff_ff_ff_ff)))),
    ],
    [
      'offsets of five bytes',
      'image/avif',
      () => avif(meta(info, properties, box('iloc', u32(0), Buffer.from([0x55, 0, 0, 1]), Buffer.alloc(60)))),
    ],
    [
      'a text behind the places',
      'image/avif',
      () => avif(meta(info, properties, box('iloc', place(pixelsAt + MARKER.length, 6).subarray(8), MARKER))),
    ],
    [
      'more items than it says',
      'image/avif',
      () => avif(meta(box('iinf', u32(0), Buffer.from([0, 9]), info.subarray(14)), properties, place(pixelsAt, 6))),
    ],
    ['two lists of items', 'image/avif', () => avif(meta(info, info, properties, place(pixelsAt, 6)))],
    ['a box shorter than its head', 'image/avif', () => avif(meta(info, properties, place(pixelsAt, 6), u32(4, 0)))],
    [
      'a box of 2^63 bytes',
      'image/avif',
      () => avif(meta(info, properties, place(pixelsAt, 6), u32(1, 0, 0x7f_ff_ff_ff, 0))),
    ],
    [
      'a box without an end in another',
      'image/avif',
      () => avif(meta(info, properties, place(pixelsAt, 6), u32(0, 0))),
    ],
    [
      'a primary item that is none',
      'image/avif',
      () =>
        avif(
          box('meta', u32(0), handler, box('pitm', u32(0), Buffer.from([0, 7])), info, properties, place(pixelsAt, 6)),
        ),
    ],
    [
      'two lists in all',
      'image/avif',
      () => avif(meta(info, properties, place(pixelsAt, 6)), meta(info, properties, place(pixelsAt, 6))),
    ],
    [
      'a script for a kind',
      'image/avif',
      () => {
        const kind = box('ftyp', 'avif\0\0\0\0', `${MARKER}!`);
        const list = meta(info, properties, place(pixelsAt + kind.length - ftyp.length, 6));
        return Buffer.concat([kind, list, box('mdat', PIXELS)]);
      },
    ],
    [
      'four billion frames',
      'image/avif',
      () =>
        avif(track(box('stsc', u32(0, 1, 1, 1, 1)), box('stsz', u32(0, 0, 0xff_ff_ff_ff)), box('stco', u32(0, 1, 0)))),
    ],
    [
      'four billion frames of one size',
      'image/avif',
      () =>
        avif(
          track(
            box('stsc', u32(0, 1, 1, 0xff_ff_ff_ff, 1)),
            box('stsz', u32(0, 0xff_ff_ff_ff, 0xff_ff_ff_ff)),
            box('stco', u32(0, 1, 0)),
          ),
        ),
    ],
    [
      'chunks without frames',
      'image/avif',
      () => avif(track(box('stsc', u32(0, 0)), box('stsz', u32(0, 1, 1)), box('stco', u32(0, 1, 0)))),
    ],
    [
      'text in a table',
      'image/avif',
      () => avif(track(box('stsc', u32(0, 0), MARKER), box('stsz', u32(0, 1, 0)), box('stco', u32(0, 0)))),
    ],
  ])('is refused: %s, %s', async (_, type, make) => {
    await expect(attempt(type, await make())).resolves.toBeNull();
  });

  const many = (part: Buffer, bytes = 4 * 2 ** 20) => Buffer.alloc(bytes - (bytes % part.length), part);
  const gifWith = async (part: Buffer) => insert(await moving('gif'), (await moving('gif')).length - 1, part);
  test.each<[string, ImageType, () => Promise<Buffer> | Buffer]>([
    ['chunks', 'image/png', async () => insert(await png(), 33, many(pngChunk('teXt', '')))],
    // Each of these is a piece of its own, which takes memory.
    [
      'chunks to keep and to drop',
      'image/png',
      async () => {
        const frame = (number: number) => [
          pngChunk('fcTL', Buffer.concat([u32(2 * number), Buffer.alloc(22)])),
          pngChunk('teXt', ''),
          pngChunk('fdAT', u32(2 * number + 1)),
        ];
        const frames = Array.from({ length: 10_000 }, (_, number) => frame(number)).flat();
        const still = insert(await png(), 33, pngChunk('acTL', Buffer.alloc(8)));
        return insert(still, still.length - 12, ...frames);
      },
    ],
    ['comments', 'image/jpeg', async () => insert(await jpeg(), 2, many(jpegSegment(0xfe, '')))],
    ['comments', 'image/gif', () => gifWith(many(gifExtension(0xfe)))],
    ['chunks', 'image/webp', async () => asWebp(Buffer.concat([await moving('webp'), many(webpChunk('what', ''))]))],
    ['boxes', 'image/avif', () => avif(many(box('free')))],
    ['boxes in boxes', 'image/avif', () => avif(meta(info, properties, place(pixelsAt, 6), many(box('what'))))],
    [
      'properties',
      'image/avif',
      () => avif(meta(info, box('iprp', box('ipco', many(box('irot')))), place(pixelsAt, 6))),
    ],
    ['notes on a film', 'image/avif', () => avif(box('moov', many(box('free'))))],
  ])('is refused where it is made of ever more %s, %s', async (_, type, make) => {
    await expect(strip(await make(), type)).rejects.toMatchObject({
      code: 'image_invalid',
      message: expect.stringContaining('too many parts'),
    });
  });

  test('of thousands of blocks of Exif, a few are read', async () => {
    const blocks = many(jpegSegment(0xe1, Buffer.concat([Buffer.from('Exif\0\0'), exif])));
    const { removed, bytes } = await strip(insert(await jpeg(), 2, blocks), 'image/jpeg');
    expect(bytes.length).toBeLessThan(2 ** 16);
    expect(removed).toEqual(expect.arrayContaining(['GPS position', 'Exif']));
  });
});

describe('the file made', () => {
  test('is for nobody else to read, and the one whose digest is told', async () => {
    const [, type, picture] = pictures[0] ?? ['', 'image/jpeg' as const, Buffer.alloc(0)];
    const [from, to] = [join(folder, 'from'), join(folder, 'private')];
    await writeFile(from, picture);
    const { bytes, sha256 } = await stripTo({ from, to, type });
    const { mode, size } = await stat(to);
    expect([size, process.platform === 'win32' ? 0o600 : mode & 0o777]).toEqual([bytes, 0o600]);
    expect((await strip(picture, type)).sha256).toBe(sha256);

    // Nor is a file that is there already written over.
    await expect(stripMetadata({ from, bytes: picture.length, known: [], to, type })).rejects.toMatchObject({
      code: 'EEXIST',
    });
    expect((await stat(to)).size).toBe(bytes);
    await rm(to);
  });

  test('takes a picture of 25 MB no more memory than one of 25 kB', async () => {
    const side = 2900;
    const pixels = Buffer.alloc(side * side * 3, 'a picture that does not repeat itself in 251 bytes');
    const picture = await sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
      .png({ compressionLevel: 0 })
      .toBuffer();
    expect(picture.length).toBeGreaterThan(25_000_000);
    const [from, to] = [join(folder, 'from'), join(folder, 'large')];
    await writeFile(from, Buffer.concat([picture, ZIP]));

    const before = process.memoryUsage().arrayBuffers;
    let most = before;
    const timer = setInterval(() => {
      most = Math.max(most, process.memoryUsage().arrayBuffers);
    }, 1);
    const { bytes } = await stripTo({ from, to, type: 'image/png' });
    clearInterval(timer);
    expect(bytes).toBe(picture.length);
    expect(most - before).toBeLessThan(2_000_000);
  });
});
