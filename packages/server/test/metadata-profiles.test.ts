import { deflateSync } from 'node:zlib';
import type { ImageType } from '@imgup/shared';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  asWebp,
  detailed,
  gifExtension,
  insert,
  jpegSegment,
  looks,
  MARKER,
  pngChunk,
  strip,
  webpChunk,
} from './metadata.ts';

/** Display P3, as sharp puts it into pictures. */
let profile: Buffer;
beforeAll(async () => {
  const { icc } = await sharp(await detailed().withIccProfile('p3').jpeg().toBuffer()).metadata();
  profile = icc ?? Buffer.alloc(0);
});

const part = (number: number, total: number, bytes: Buffer) =>
  jpegSegment(0xe2, Buffer.concat([Buffer.from('ICC_PROFILE\0'), Buffer.from([number, total]), bytes]));

/** The chunk of a PNG that a profile is in. */
const compressed = (profile: Buffer, ...behind: Buffer[]) =>
  pngChunk('iCCP', Buffer.concat([Buffer.from('P3\0\0'), deflateSync(profile, { level: 0 }), ...behind]));

/** A picture with a profile in it, as each format has it. */
const withProfile: Record<string, { type: ImageType; make: (profile: Buffer) => Promise<Buffer> }> = {
  jpeg: {
    type: 'image/jpeg',
    make: async (profile) => insert(await detailed().jpeg().toBuffer(), 2, part(1, 1, profile)),
  },
  png: {
    type: 'image/png',
    make: async (profile) => insert(await detailed().png().toBuffer(), 33, compressed(profile)),
  },
  gif: {
    type: 'image/gif',
    make: async (profile) => {
      const blocks = Array.from({ length: Math.ceil(profile.length / 100) }, (_, index) =>
        profile.subarray(index * 100, (index + 1) * 100),
      );
      const gif = await detailed().gif().toBuffer();
      return insert(gif, 13 + 3 * 2 ** (((gif[10] ?? 0) & 7) + 1), gifExtension(0xff, 'ICCRGBG1012', ...blocks));
    },
  },
  webp: {
    type: 'image/webp',
    make: async (profile) => {
      const header = Buffer.from([0x20, 0, 0, 0, 47, 0, 0, 31, 0, 0]);
      const webp = await detailed().webp().toBuffer();
      return asWebp(insert(webp, 12, webpChunk('VP8X', header), webpChunk('ICCP', profile)));
    },
  },
  avif: {
    type: 'image/avif',
    make: async (profile) => {
      const avif = await detailed().withIccProfile('p3').avif({ effort: 0 }).toBuffer();
      const at = avif.indexOf('acsp') - 36;
      const end = at + avif.readUInt32BE(at);
      const picture = Buffer.concat([avif.subarray(0, at), profile, avif.subarray(end)]);
      // The boxes around it become longer; and all that lies behind is moved, as iloc says of its only item.
      const boxes = ['meta', 'iprp', 'ipco', 'colr'].map((type) => avif.indexOf(type) - 4);
      for (const field of [...boxes, avif.indexOf('iloc') + 16])
        picture.writeUInt32BE(avif.readUInt32BE(field) + profile.length - (end - at), field);
      return picture;
    },
  },
};

/** A profile in front of which a text is put at a place that its tags leave free. */
function withGap(profile: Buffer): Buffer {
  const wide = insert(profile, 132 + 12 * profile.readUInt32BE(128), Buffer.from(MARKER));
  wide.writeUInt32BE(wide.length);
  for (let tag = 0; tag < wide.readUInt32BE(128); tag += 1) {
    const at = 132 + 12 * tag + 4;
    wide.writeUInt32BE(wide.readUInt32BE(at) + MARKER.length, at);
  }
  return wide;
}

describe.each(Object.entries(withProfile))('in a %s', (_, { type, make }) => {
  test('a colour profile stays as it is', async () => {
    const picture = await make(profile);
    expect(await strip(picture, type)).toMatchObject({ removed: [], bytes: picture });
  });

  test('what only begins as a colour profile goes', async () => {
    const fake = Buffer.alloc(128);
    fake.write('acsp', 36);
    const { removed, bytes } = await strip(await make(Buffer.concat([fake, Buffer.from(MARKER)])), type);
    expect(removed).toEqual(['private data of a program']);
    expect(bytes.includes('script')).toBe(false);
  });

  test('what is behind a colour profile, or between its tags, goes', async () => {
    for (const wide of [Buffer.concat([profile, Buffer.from(MARKER)]), withGap(profile)]) {
      const picture = await make(wide);
      expect(picture.includes('script')).toBe(true);
      const { removed, bytes } = await strip(picture, type);
      expect(removed).toEqual(['private data of a program']);
      expect(bytes.includes('script')).toBe(false);
      const before = await looks(picture);
      const after = await looks(bytes);
      expect(after).toEqual({ ...before, icc: after.icc });
      expect(await strip(bytes, type)).toMatchObject({ removed: [], bytes });
    }
  });
});

test('what is behind the end of a compressed profile in a PNG goes', async () => {
  const png = await detailed().png().toBuffer();
  const picture = insert(png, 33, compressed(profile, Buffer.from(MARKER)));
  const { removed, bytes } = await strip(picture, 'image/png');
  expect(removed).toEqual(['private data of a program']);
  expect(bytes.equals(insert(png, 33, compressed(profile)))).toBe(true);
});

test('a profile in a PNG that inflates to more than any is looked at no further', async () => {
  const bomb = Buffer.alloc(20 * 2 ** 20);
  profile.copy(bomb);
  const chunk = pngChunk('iCCP', Buffer.concat([Buffer.from('P3\0\0'), deflateSync(bomb)]));
  const { removed, bytes } = await strip(insert(await detailed().png().toBuffer(), 33, chunk), 'image/png');
  expect(removed).toEqual(['private data of a program']);
  expect(bytes.includes('iCCP')).toBe(false);
});

test('a profile of a JPEG whose parts are out of order comes out in order', async () => {
  const jpeg = await detailed().jpeg().toBuffer();
  const [first, second] = [part(1, 2, profile.subarray(0, 200)), part(2, 2, profile.subarray(200))];
  const { removed, bytes } = await strip(insert(jpeg, 2, second, first), 'image/jpeg');
  expect(removed).toEqual([]);
  expect(bytes.equals(insert(jpeg, 2, first, second))).toBe(true);
  expect((await looks(bytes)).icc?.equals(profile)).toBe(true);
});

test('a profile of a JPEG that lacks a part goes', async () => {
  const jpeg = await detailed().jpeg().toBuffer();
  const { removed, bytes } = await strip(insert(jpeg, 2, part(1, 2, profile.subarray(0, 200))), 'image/jpeg');
  expect(removed).toEqual(['private data of a program']);
  expect(bytes.equals(jpeg)).toBe(true);
});

test('a profile of a JPEG that needs several parts stays, and what is behind it goes', async () => {
  const jpeg = await detailed().jpeg().toBuffer();
  // Its last tag, made longer than a part.
  const long = Buffer.concat([profile, Buffer.alloc(70_000, 7)]);
  const entry = 132 + 12 * (long.readUInt32BE(128) - 1);
  long.writeUInt32BE(long.length);
  long.writeUInt32BE(long.length - long.readUInt32BE(entry + 4), entry + 8);
  const cut = (bytes: Buffer) => [part(1, 2, bytes.subarray(0, 65_519)), part(2, 2, bytes.subarray(65_519))];
  const picture = insert(jpeg, 2, ...cut(long));
  expect((await strip(picture, 'image/jpeg')).bytes.equals(picture)).toBe(true);
  const more = insert(jpeg, 2, ...cut(Buffer.concat([long, Buffer.from(MARKER)])));
  expect((await strip(more, 'image/jpeg')).bytes.equals(picture)).toBe(true);
});
