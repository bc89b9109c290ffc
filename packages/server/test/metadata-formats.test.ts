import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { ImageType } from '@imgup/shared';
import sharp from 'sharp';
import {
  asApng,
  asWebp,
  box,
  cameraExif,
  detailed,
  gifExtension,
  insert,
  jpegSegment,
  looks,
  MARKER,
  moving,
  pngChunk,
  strip,
  webpChunk,
} from './metadata.ts';

const EXIF_WORDS = [
  'GPS position',
  'author',
  'serial number',
  'camera model',
  'date taken',
  'maker notes',
  'software',
  'comment',
];
const exif = cameraExif({ orientation: 6 });
const inJpeg = (block: Buffer) => jpegSegment(0xe1, Buffer.concat([Buffer.from('Exif\0\0'), block]));

const plain: [name: string, type: ImageType, make: () => Promise<Buffer>][] = [
  ['a JPEG', 'image/jpeg', () => detailed().jpeg().toBuffer()],
  ['a progressive JPEG', 'image/jpeg', () => detailed().jpeg({ progressive: true }).toBuffer()],
  ['a CMYK JPEG', 'image/jpeg', () => detailed().toColourspace('cmyk').jpeg().toBuffer()],
  ['a PNG', 'image/png', () => detailed().png().toBuffer()],
  [
    'an interlaced PNG of few colours',
    'image/png',
    () => detailed().png({ progressive: true, palette: true }).toBuffer(),
  ],
  ['a GIF', 'image/gif', () => detailed().gif().toBuffer()],
  ['a moving GIF', 'image/gif', () => moving('gif')],
  ['a WebP', 'image/webp', () => detailed().webp().toBuffer()],
  ['a transparent WebP', 'image/webp', () => detailed().ensureAlpha(0.5).webp().toBuffer()],
  ['a moving WebP', 'image/webp', () => moving('webp')],
  ['an AVIF', 'image/avif', () => detailed().avif({ effort: 0 }).toBuffer()],
  ['a transparent AVIF', 'image/avif', () => detailed().ensureAlpha(0.5).avif({ effort: 0 }).toBuffer()],
];

test.each(plain)('%s without anything private comes back byte for byte', async (_, type, make) => {
  const picture = await make();
  const { removed, bytes, sha256 } = await strip(picture, type);
  expect(removed).toEqual([]);
  expect(bytes.equals(picture)).toBe(true);
  expect(sha256).toBe(createHash('sha256').update(picture).digest('hex'));
});

const encoders = ['jpeg', 'png', 'webp', 'avif'] as const;

test.each(encoders)(
  'what sharp writes into a %s goes, and its pixels, orientation and colours stay',
  async (format) => {
    const picture = await detailed()
      .withIccProfile('p3')
      .withMetadata({ orientation: 6 })
      .withExifMerge({
        IFD0: { Copyright: 'Ada', Model: 'Shot 3000' },
        IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '51/1 30/1 0/1' },
      })
      .withXmp('<x:xmpmeta xmlns:x="adobe:ns:meta/"/>')
      .toFormat(format)
      .toBuffer();
    const before = await looks(picture);
    const { removed, bytes } = await strip(picture, `image/${format}`);
    const after = await looks(bytes);
    const { exif, xmp } = await sharp(bytes).metadata();

    // In an AVIF Exif does not turn the picture: boxes of its own do.
    if (format === 'avif') expect(exif).toBeUndefined();
    else expect([before.orientation, exif?.includes('Ada')]).toEqual([6, false]);
    expect(after).toEqual(format === 'avif' ? { ...before, orientation: after.orientation } : before);
    expect(after.icc?.length).toBeGreaterThan(100);
    expect(xmp).toBeUndefined();
    expect(removed).toEqual(['GPS position', 'author', 'camera model', 'XMP']);
  },
);

test.each([1, 2, 3, 4, 5, 6, 7, 8])('orientation %i is kept, in either order of bytes', async (orientation) => {
  for (const littleEndian of [false, true]) {
    const block = cameraExif({ orientation, littleEndian });
    const pictures: [ImageType, Buffer][] = [
      ['image/jpeg', insert(await detailed().jpeg().toBuffer(), 2, inJpeg(block))],
      ['image/png', insert(await detailed().png().toBuffer(), 33, pngChunk('eXIf', block))],
      ['image/webp', asWebp(Buffer.concat([await withVp8x(0x08), webpChunk('EXIF', block)]))],
    ];
    for (const [type, picture] of pictures) {
      const before = await looks(picture);
      const { removed, bytes } = await strip(picture, type);
      expect(await looks(bytes)).toEqual(before);
      expect(before.orientation ?? 1).toBe(orientation);
      expect(removed).toEqual(EXIF_WORDS);
      expect(bytes.includes(MARKER)).toBe(false);
      // What was stripped once stays as it is.
      expect(await strip(bytes, type)).toMatchObject({ removed: [], bytes });
    }
  }
});

test.each([
  ['the high byte first', '4d4d002a000000080001011200030000000100060000000000000'],
  ['the low byte first', '49492a00080000000100120103000100000006000000000000000'],
])('Exif that holds the orientation alone, %s, stays as it is', async (_, block) => {
  const jpeg = insert(await detailed().jpeg().toBuffer(), 2, inJpeg(Buffer.from(block, 'hex')));
  expect((await sharp(jpeg).metadata()).orientation).toBe(6);
  expect(await strip(jpeg, 'image/jpeg')).toMatchObject({ removed: [], bytes: jpeg });
});

/** Exif that says nothing but the orientation, as a number of the given type. */
function orientationAs(type: number, value: number): Buffer {
  const block = Buffer.from('4d4d002a000000080001011200000000000100000000000000000000', 'hex').subarray(0, 26);
  block.writeUInt16BE(type, 12);
  if (type === 1) block.writeUInt8(value, 18);
  else if (type === 3) block.writeUInt16BE(value, 18);
  else block.writeUInt32BE(value, 18);
  return block;
}

test.each([
  ['8', 1],
  ['16', 3],
  ['32', 4],
])('an orientation in %s bits is kept', async (_, type) => {
  const picture = insert(await detailed().jpeg().toBuffer(), 2, inJpeg(orientationAs(type, 6)));
  const before = await looks(picture);
  expect(before.turnedSize).toEqual([32, 48]);
  expect(await looks((await strip(picture, 'image/jpeg')).bytes)).toEqual(before);
});

test('of several blocks of Exif the first says how the picture is turned, even if it does not say so', async () => {
  const silent = Buffer.from('4d4d002a000000080001010f0002000000044163650000000000', 'hex');
  const [upright, turned, mirrored] = [1, 6, 2].map((value) => orientationAs(3, value));
  for (const blocks of [
    [silent, turned],
    [upright, turned],
    [turned, upright],
    [turned, mirrored],
  ].map((blocks) => blocks.filter((block) => block !== undefined))) {
    const pictures: [ImageType, Buffer][] = [
      ['image/jpeg', insert(await detailed().jpeg().toBuffer(), 2, ...blocks.map(inJpeg))],
      ['image/png', insert(await detailed().png().toBuffer(), 33, ...blocks.map((block) => pngChunk('eXIf', block)))],
    ];
    for (const [type, picture] of pictures)
      expect(await looks((await strip(picture, type)).bytes)).toEqual(await looks(picture));
  }
});

test('a WebP is neither turned nor coloured by parts that its header does not tell of', async () => {
  const { icc } = await sharp(await detailed().withIccProfile('p3').webp().toBuffer()).metadata();
  const webp = insert(await withVp8x(0), 30, webpChunk('ICCP', icc ?? ''));
  const picture = asWebp(Buffer.concat([webp, webpChunk('EXIF', exif)]));
  const before = await looks(picture);
  expect([before.icc, before.orientation]).toEqual([undefined, undefined]);
  const { removed, bytes } = await strip(picture, 'image/webp');
  expect(removed).toEqual([...EXIF_WORDS, 'private data of a program']);
  expect(bytes.equals(await withVp8x(0))).toBe(true);
  expect(await looks(bytes)).toEqual(before);
});

/** The extended form, in which a WebP can have metadata. */
async function withVp8x(flags: number): Promise<Buffer> {
  const webp = await detailed(48, 32).webp().toBuffer();
  const header = Buffer.from([flags, 0, 0, 0, 47, 0, 0, 31, 0, 0]);
  return asWebp(insert(webp, 12, webpChunk('VP8X', header)));
}

test('every segment of a JPEG goes that the pixels and colours do not need', async () => {
  const jpeg = await detailed().withIccProfile('p3').jpeg().toBuffer();
  // A thumbnail of 1 by 11 pixels, of three bytes each.
  const header = Buffer.from('JFIF\0\x01\x02\x01\x00\x48\x00\x48\x01\x0b', 'latin1');
  const jfif = jpegSegment(0xe0, Buffer.concat([header, Buffer.from(`${MARKER}!!`)]));
  const picture = insert(
    jpeg.subarray(0, -2),
    2,
    jfif,
    inJpeg(exif),
    jpegSegment(0xe0, `JFXX\0\x10${MARKER}`),
    jpegSegment(0xe1, `http://ns.adobe.com/xap/1.0/\0${MARKER}`),
    jpegSegment(0xe1, `http://ns.adobe.com/xmp/extension/\0${MARKER}`),
    jpegSegment(0xe2, `MPF\0${MARKER}`),
    jpegSegment(0xe2, `ICC_PROFILE\0\x01\x01${MARKER.repeat(3)}`),
    jpegSegment(0xeb, `JP\0\x01${MARKER}`),
    jpegSegment(0xed, `Photoshop 3.0\x008BIM${MARKER}`),
    jpegSegment(0xee, `Adobe\0\x64\0\0\0\0\x01${MARKER}`),
    jpegSegment(0xe5, MARKER),
    jpegSegment(0xfe, MARKER),
    Buffer.from(MARKER),
  );
  // Between the scan and the end too.
  const { removed, bytes } = await strip(
    Buffer.concat([picture, jpegSegment(0xfe, MARKER), Buffer.from('\xff\xd9', 'latin1'), Buffer.from(MARKER)]),
    'image/jpeg',
  );
  expect(bytes.includes('script')).toBe(false);
  expect(removed).toEqual([
    ...EXIF_WORDS,
    'thumbnail',
    'second picture',
    'XMP',
    'IPTC',
    'Content Credentials',
    'private data of a program',
    'data between the parts',
    'data after the end',
  ]);
  const { density, orientation, icc } = await sharp(bytes).metadata();
  expect({ density, orientation }).toEqual({ density: 72, orientation: 6 });
  expect(icc?.equals((await sharp(jpeg).metadata()).icc ?? Buffer.alloc(0))).toBe(true);
  expect(bytes.indexOf(Buffer.from('Adobe\0\x64\0\0\0\0\x01', 'latin1'))).toBeGreaterThan(0);
  expect((await looks(bytes)).pixels).toBe((await looks(jpeg)).pixels);
});

test('a thumbnail in Exif goes, and is named', async () => {
  const thumbnail = await detailed(16, 16).jpeg().toBuffer();
  const block = Buffer.alloc(44);
  block.write('MM\0*\0\0\0\x08\0\0\0\0\0\x0e\0\x02', 'latin1');
  const entries = [
    [0x02_01, 4, 44],
    [0x02_02, 4, thumbnail.length],
  ];
  for (const [index, [tag = 0, type = 0, value = 0]] of entries.entries()) {
    block.writeUInt16BE(tag, 16 + index * 12);
    block.writeUInt16BE(type, 18 + index * 12);
    block.writeUInt32BE(1, 20 + index * 12);
    block.writeUInt32BE(value, 24 + index * 12);
  }
  const jpeg = await detailed().jpeg().toBuffer();
  const { removed, bytes } = await strip(insert(jpeg, 2, inJpeg(Buffer.concat([block, thumbnail]))), 'image/jpeg');
  expect(removed).toEqual(['thumbnail']);
  expect(bytes.equals(jpeg)).toBe(true);
});

test('a JPEG keeps bytes that look like markers, and filling, in its compressed pixels', async () => {
  const jpeg = await sharp({
    create: {
      width: 800,
      height: 600,
      channels: 3,
      background: 'red',
      noise: { type: 'gaussian', mean: 128, sigma: 60 },
    },
  })
    .jpeg({ quality: 100, progressive: true })
    .toBuffer();
  expect(jpeg.length).toBeGreaterThan(200_000);
  const filled = insert(jpeg, jpeg.length - 2, Buffer.from([0xff, 0xff, 0xff]));
  expect((await strip(filled, 'image/jpeg')).bytes.equals(filled)).toBe(true);
});

test('every chunk of a PNG goes that the pixels and colours do not need', async () => {
  const png = await detailed().withIccProfile('p3').withDensity(300).png().toBuffer();
  const colours = [pngChunk('gAMA', Buffer.from([0, 0, 0xb1, 0x8f])), pngChunk('cICP', Buffer.from([12, 13, 0, 1]))];
  const picture = insert(
    png,
    33,
    pngChunk('gAMA', MARKER),
    ...colours,
    pngChunk('tEXt', `Author\0${MARKER}`),
    pngChunk('tEXt', `Software\0${MARKER}`),
    pngChunk('tEXt', `Comment\0${MARKER}`),
    pngChunk('tEXt', `Anything\0${MARKER}`),
    pngChunk('zTXt', Buffer.concat([Buffer.from('Raw profile type iptc\0\0'), deflateSync(MARKER, { level: 0 })])),
    pngChunk('iTXt', `XML:com.adobe.xmp\0\0\0\0\0${MARKER}`),
    pngChunk('tIME', Buffer.from([7, 0xe8, 2, 29, 12, 0, 0])),
    pngChunk('eXIf', exif),
    pngChunk('caBX', MARKER),
    pngChunk('prVt', MARKER),
    pngChunk('iCCP', Buffer.concat([Buffer.from('name\0\0'), deflateSync(MARKER.repeat(9), { level: 0 })])),
  );
  const { removed, bytes } = await strip(Buffer.concat([picture, Buffer.from(MARKER)]), 'image/png');
  expect(removed).toEqual([
    ...EXIF_WORDS,
    'XMP',
    'IPTC',
    'Content Credentials',
    'text',
    'time stamp',
    'private data of a program',
    'data after the end',
  ]);
  expect(bytes.includes('script')).toBe(false);
  for (const chunk of colours) expect(bytes.includes(chunk)).toBe(true);
  expect((await sharp(bytes).metadata()).density).toBe(300);
  expect((await looks(bytes)).pixels).toBe((await looks(insert(png, 33, ...colours))).pixels);
});

test('a colour profile in a PNG stays, its name if that is one', async () => {
  const png = await detailed().withIccProfile('p3').png().toBuffer();
  const at = png.indexOf('iCCP') - 4;
  const length = png.readUInt32BE(at);
  const data = png.subarray(at + 8, at + 8 + length);
  const renamed = pngChunk('iCCP', Buffer.concat([Buffer.from(MARKER), data.subarray(data.indexOf(0))]));
  const picture = Buffer.concat([png.subarray(0, at), renamed, png.subarray(at + 12 + length)]);
  const { bytes } = await strip(picture, 'image/png');
  expect(bytes.includes('script')).toBe(false);
  expect(await looks(bytes)).toEqual(await looks(png));
});

test('a colour profile in a PNG stays where its compression is damaged and decoders read it all the same', async () => {
  const png = await detailed().withIccProfile('p3').png().toBuffer();
  const at = png.indexOf('iCCP') - 4;
  const data = Buffer.from(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  data.fill(0, data.length - 4);
  const picture = Buffer.concat([png.subarray(0, at), pngChunk('iCCP', data), png.subarray(at + 12 + data.length)]);
  const { removed, bytes } = await strip(picture, 'image/png');
  expect(removed).toEqual([]);
  expect(bytes.equals(picture)).toBe(true);
});

test('an APNG keeps its frames and their times', async () => {
  const apng = asApng(await detailed().png().toBuffer());
  const picture = insert(apng, apng.length - 12, pngChunk('tEXt', `Comment\0${MARKER}`));
  const { removed, bytes } = await strip(picture, 'image/png');
  expect(removed).toEqual(['comment']);
  expect(bytes.equals(apng)).toBe(true);
});

test('every block of a GIF goes that the frames do not need', async () => {
  const gif = await moving('gif');
  const firstBlock = 13 + 3 * 2 ** (((gif[10] ?? 0) & 7) + 1) * ((gif[10] ?? 0) >> 7);
  const text = gifExtension(0x01, Buffer.alloc(12), MARKER);
  const textControl = gifExtension(0xf9, Buffer.from([0x05, 0, 0, 3]));
  const icc = (await sharp(await detailed().withIccProfile('p3').jpeg().toBuffer()).metadata()).icc ?? Buffer.alloc(0);
  const profile = gifExtension(0xff, 'ICCRGBG1012', icc.subarray(0, 255), icc.subarray(255));
  const picture = insert(
    gif,
    firstBlock,
    profile,
    gifExtension(0xfe, MARKER),
    gifExtension(0xff, 'XMP DataXMP', MARKER),
    gifExtension(0xff, 'ICCRGBG1012', MARKER.repeat(3)),
    gifExtension(0xff, 'NETSCAPE2.0', Buffer.from([1, 2, 0]), MARKER),
    gifExtension(0xff, 'PROGRAM 1.0', MARKER),
    gifExtension(0x42, MARKER),
    textControl,
    text,
  );
  const { removed, bytes } = await strip(Buffer.concat([picture, Buffer.from(MARKER)]), 'image/gif');
  expect(removed).toEqual(['comment', 'XMP', 'text', 'private data of a program', 'data after the end']);
  expect(bytes.includes('script')).toBe(false);
  expect(bytes.includes(profile)).toBe(true);
  const before = await looks(picture);
  expect(before).toMatchObject({ delay: [100, 250, 400], loop: 2, pages: 3 });
  expect(await looks(bytes)).toEqual(before);
});

test('a GIF that lacks its last byte gets it', async () => {
  const gif = await detailed().gif().toBuffer();
  const { bytes } = await strip(gif.subarray(0, -1), 'image/gif');
  expect(bytes.equals(gif)).toBe(true);
});

test('every chunk of a WebP goes that the frames do not need, inside the frames too', async () => {
  const webp = await moving('webp');
  const parts: Buffer[] = [webp.subarray(0, 12)];
  for (let at = 12; at < webp.length;) {
    const end = at + 8 + webp.readUInt32LE(at + 4) + (webp.readUInt32LE(at + 4) % 2);
    const isFrame = webp.toString('latin1', at, at + 4) === 'ANMF';
    parts.push(
      isFrame
        ? webpChunk('ANMF', Buffer.concat([webp.subarray(at + 8, end), webpChunk('what', MARKER)]))
        : webp.subarray(at, end),
    );
    at = end;
  }
  const picture = asWebp(
    Buffer.concat([
      ...parts,
      webpChunk('EXIF', cameraExif()),
      webpChunk('XMP ', MARKER),
      webpChunk('what', MARKER),
      webpChunk('C2PA', MARKER),
    ]),
  );
  picture.writeUInt8(0x2e, 20);
  const { removed, bytes } = await strip(Buffer.concat([picture, Buffer.from(MARKER)]), 'image/webp');
  expect(removed).toEqual([
    ...EXIF_WORDS,
    'XMP',
    'Content Credentials',
    'private data of a program',
    'data after the end',
  ]);
  expect(bytes.equals(webp)).toBe(true);
});

test('a WebP of the simple form keeps its pixels and nothing behind them', async () => {
  const webp = await detailed().webp().toBuffer();
  const { bytes } = await strip(asWebp(Buffer.concat([webp, webpChunk('XMP ', MARKER)])), 'image/webp');
  expect(bytes.equals(webp)).toBe(true);
});

test('every box of an AVIF goes that the pixels do not need, and nothing in it moves', async () => {
  const avif = await detailed()
    .withIccProfile('p3')
    .withExif({ IFD0: { Artist: MARKER } })
    .withXmp(MARKER)
    .avif({ effort: 0 })
    .toBuffer();
  expect(avif.includes('script')).toBe(true);
  const c2pa = Buffer.from('d8fec3d61b0e483c92975828877ec481', 'hex');
  const picture = Buffer.concat([
    avif,
    box('uuid', c2pa, MARKER),
    box('free', MARKER),
    box('what', MARKER),
    Buffer.from(MARKER),
  ]);
  const { removed, bytes } = await strip(picture, 'image/avif');
  expect(removed).toEqual(['author', 'XMP', 'Content Credentials', 'data after the end']);
  expect(bytes.includes('script')).toBe(false);
  expect(bytes.length).toBe(avif.length);
  expect(bytes.includes('rdf+xml')).toBe(false);
  expect({ ...(await looks(bytes)), orientation: undefined }).toEqual({
    ...(await looks(avif)),
    orientation: undefined,
  });
  const { exif, xmp } = await sharp(bytes).metadata();
  expect([exif, xmp]).toEqual([undefined, undefined]);
});

test('an AVIF that is to be turned still is', async () => {
  const avif = await detailed().avif({ effort: 0 }).toBuffer();
  // irot, a quarter to the left, as the last property, for the only item; and all that lies behind is moved by its bytes.
  const irot = Buffer.from([0, 0, 0, 9, ...Buffer.from('irot'), 1]);
  const ipma = avif.indexOf('ipma') - 4;
  const associations = ipma + 18;
  const count = avif.readUInt8(associations);
  const turned = insert(avif, associations + 1 + count, Buffer.from([0x80 | (count + 1)]));
  turned.writeUInt8(count + 1, associations);
  const picture = insert(turned, ipma, irot);
  const grow = (at: number, bytes: number) => picture.writeUInt32BE(picture.readUInt32BE(at) + bytes, at);
  grow(ipma + irot.length, 1);
  grow(avif.indexOf('ipco') - 4, irot.length);
  for (const type of ['iprp', 'meta']) grow(avif.indexOf(type) - 4, irot.length + 1);
  // iloc: its head, and the only item's id and file, before the offset.
  grow(avif.indexOf('iloc') + 16, irot.length + 1);

  const { bytes } = await strip(Buffer.concat([picture, Buffer.from(MARKER)]), 'image/avif');
  expect(bytes.equals(picture)).toBe(true);
  expect((await looks(bytes)).turnedSize).toEqual([32, 48]);
});

/** An AVIF of two frames with sound, times and names, as programs for films write them. The frames are no real pixels. */
function film(handler: string, entry: string, chunkAt: number): Buffer {
  const u32 = (...values: number[]) =>
    Buffer.from(values.flatMap((value) => [value >>> 24, value >>> 16, value >>> 8, value].map((byte) => byte & 255)));
  const times = u32(0, 0xe1_1e_68_f9, 0xe1_1e_68_f9);
  const description = Buffer.alloc(78);
  description.write(`\x1f${MARKER.slice(0, 31)}`, 42, 'latin1');
  return box(
    'trak',
    box('tkhd', times, Buffer.alloc(72)),
    box('udta', MARKER),
    box(
      'mdia',
      box('mdhd', times, Buffer.alloc(12)),
      box('hdlr', u32(0, 0), handler, u32(0, 0, 0), `${MARKER}\0`),
      box(
        'minf',
        box('vmhd', u32(1, 0, 0)),
        box('dinf', box('dref', u32(0, 1), box('url ', u32(1)))),
        box(
          'stbl',
          box('stsd', u32(0, 1), box(entry, description, box('av1C', u32(0x81_00_0c_00)), box('what', MARKER))),
          box('stts', u32(0, 1, 2, 10)),
          box('stsc', u32(0, 1, 1, 2, 1)),
          box('stsz', u32(0, 0, 2, 5, 7)),
          box('stco', u32(0, 1, chunkAt)),
        ),
      ),
    ),
  );
}

test('a moving AVIF keeps the frames that are shown and their times, and no sound, names and times of writing', async () => {
  // Two frames of AV1, by their headers.
  const frames = '2\x03AME2\x05frame';
  const build = (framesAt: number) => {
    const ftyp = box('ftyp', 'avis\0\0\0\0avisavifmsf1');
    const mvhd = box('mvhd', Buffer.from('00000000e11e68f9e11e68f9', 'hex'), Buffer.alloc(88));
    const tracks = [film('pict', 'av01', framesAt), film('soun', 'mp4a', framesAt + 12)];
    const moov = box('moov', mvhd, ...tracks, box('meta', MARKER), box('udta', MARKER));
    return Buffer.concat([ftyp, moov, box('mdat', frames, 'soundsOUNDS!', MARKER)]);
  };
  const framesAt = build(0).indexOf(frames);
  const picture = build(framesAt);
  const { removed, bytes } = await strip(picture, 'image/avif');
  expect(removed).toEqual(['software', 'sound', 'text', 'time stamp', 'private data of a program']);
  expect(bytes.length).toBe(picture.length);
  expect(bytes.toString('latin1', framesAt, framesAt + 12)).toBe(frames);
  expect(bytes.subarray(framesAt + 12).every((byte) => byte === 0)).toBe(true);
  for (const gone of ['script', 'soun', 'mp4a', 'udta', '\xe1\x1e\x68\xf9'])
    expect(bytes.includes(Buffer.from(gone, 'latin1'))).toBe(false);
  for (const type of ['tkhd', 'stts', 'stsc', 'stsz', 'stco', 'av1C', 'dref']) {
    const at = picture.indexOf(type);
    expect(bytes.indexOf(type)).toBe(at);
    if (type.startsWith('st')) expect(bytes.subarray(at, at + 12).equals(picture.subarray(at, at + 12))).toBe(true);
  }
  expect(await strip(bytes, 'image/avif')).toMatchObject({ removed: [], bytes });
});
