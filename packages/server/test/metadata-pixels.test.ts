import { describe, expect, test } from 'vitest';
import { detailed, insert, jpegSegment, looks, MARKER, moving, strip } from './metadata.ts';

describe('among the pixels of an AVIF', () => {
  const obu = (type: number, payload: Buffer | string) => {
    const bytes = typeof payload === 'string' ? Buffer.from(payload, 'latin1') : payload;
    return Buffer.concat([Buffer.from([(type << 3) | 2, bytes.length]), bytes]);
  };

  /** An AVIF whose only item has more behind its pixels, and counts it among them. */
  async function withMore(...obus: Buffer[]): Promise<Buffer> {
    const avif = await detailed().avif({ effort: 0 }).toBuffer();
    const picture = Buffer.concat([avif, ...obus]);
    // The box mdat, which is the last; and iloc's length of its only item, behind its id, file, offsets and count.
    for (const at of [avif.indexOf('mdat') - 4, avif.indexOf('iloc') + 26])
      picture.writeUInt32BE(avif.readUInt32BE(at) + picture.length - avif.length, at);
    return picture;
  }

  test.each([
    ['metadata of a program', obu(5, `\x04\xb5${MARKER}\x80`)],
    ['a time', obu(5, `\x05${MARKER}\x80`)],
    ['brightness that is longer than it can be', obu(5, `\x01${MARKER}\x80`)],
    ['padding', obu(15, `${MARKER}\x80`)],
    ['what nobody has defined', obu(9, MARKER)],
    ['a second copy of a header', obu(7, MARKER)],
    ['a delimiter with something in it', obu(2, MARKER)],
  ])('%s becomes empty padding', async (_, more) => {
    const picture = await withMore(more);
    const { removed, bytes } = await strip(picture, 'image/avif');
    expect(removed).toEqual(['private data of a program']);
    expect(bytes.includes('script')).toBe(false);
    expect(bytes.length).toBe(picture.length);
    expect(await looks(bytes)).toEqual(await looks(await withMore()));
    expect(await strip(bytes, 'image/avif')).toMatchObject({ removed: [], bytes });
  });

  test('what says how bright the picture is stays', async () => {
    const picture = await withMore(
      obu(5, Buffer.from([1, 3, 0xe8, 0, 100, 0x80])),
      obu(5, Buffer.concat([Buffer.from([2]), Buffer.alloc(24, 1), Buffer.from([0x80])])),
      obu(5, Buffer.from('04b5003c0001040140000c80', 'hex')),
    );
    expect(await strip(picture, 'image/avif')).toMatchObject({ removed: [], bytes: picture });
  });

  test.each([
    ['is none', Buffer.from(`\xff${MARKER}`, 'latin1')],
    ['is longer than there is', Buffer.from([0x32, 200, 0])],
  ])('is refused what %s', async (_, more) => {
    await expect(strip(await withMore(more), 'image/avif')).rejects.toMatchObject({ code: 'image_invalid' });
  });
});

describe('behind the pixels of a GIF', () => {
  /** Each image with more sub-blocks behind those of its pixels. */
  const withMore = (gif: Buffer, more: Buffer) => {
    const parts: Buffer[] = [gif.subarray(0, 13 + tableBytes(gif.readUInt8(10)))];
    for (let at = parts[0]?.length ?? 0; gif[at] !== 0x3b;) {
      const isImage = gif[at] === 0x2c;
      let end = isImage ? at + 11 + tableBytes(gif.readUInt8(at + 9)) : at + 2;
      while (gif[end] !== 0) end += 1 + gif.readUInt8(end);
      parts.push(gif.subarray(at, end), isImage ? more : Buffer.alloc(0), Buffer.alloc(1));
      at = end + 1;
    }
    return Buffer.concat([...parts, gif.subarray(-1)]);
  };
  const tableBytes = (flags: number) => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);
  const block = Buffer.concat([Buffer.from([MARKER.length]), Buffer.from(MARKER)]);

  test.each([
    ['one', () => detailed().gif().toBuffer()],
    ['a large one', () => detailed(900, 700).gif().toBuffer()],
    ['an interlaced one', () => detailed().gif({ progressive: true }).toBuffer()],
    ['one of two colours', () => detailed().gif({ colours: 2 }).toBuffer()],
    ['a moving one', () => moving('gif')],
  ])('other sub-blocks go: %s', async (_, make) => {
    const gif = await make();
    expect((await strip(gif, 'image/gif')).removed).toEqual([]);
    const { removed, bytes } = await strip(withMore(gif, Buffer.concat([block, block])), 'image/gif');
    expect(removed).toEqual(['data between the parts']);
    expect(bytes.equals(gif)).toBe(true);
  });

  const header = Buffer.from('GIF89a\x02\0\x02\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x02\0\x02\0\0\x02', 'latin1');
  const gif = (...blocks: Buffer[]) =>
    Buffer.concat([header, ...blocks.flatMap((data) => [Buffer.from([data.length]), data]), Buffer.from('\0;')]);

  test('more goes in the last sub-block', async () => {
    // Codes of three bits and then of four: clear (4), 0, 1, 0, 1, and the end (5).
    const codes = Buffer.from([0x44, 0x10, 0x05]);
    const { bytes } = await strip(gif(Buffer.concat([codes, Buffer.from(MARKER)]), Buffer.from(MARKER)), 'image/gif');
    expect(bytes.equals(gif(codes))).toBe(true);
  });

  test('codes go that are more than the pixels', async () => {
    // Four times clear (4) and 0, in three bits each, which is a pixel each time.
    const codes = Buffer.from([0x04, 0x41, 0x10]);
    const picture = gif(Buffer.concat([codes, codes, codes]), codes, codes);
    const { bytes } = await strip(picture, 'image/gif');
    // A byte more, in which there could be the end.
    expect(bytes.equals(gif(Buffer.concat([codes, codes.subarray(0, 1)])))).toBe(true);
    expect(await looks(bytes)).toEqual(await looks(picture));
    expect(await strip(bytes, 'image/gif')).toMatchObject({ removed: [], bytes });
  });
});

describe('among the tables of a JPEG', () => {
  const text = (bytes: number) => Buffer.alloc(bytes, MARKER);
  const factors = (number: number) => Buffer.concat([Buffer.from([number]), text(64)]);
  /** Of one code of each length from 2 to 16, for 15 letters. */
  const codes = (number: number) => Buffer.concat([Buffer.from([number, 0, ...Array<number>(15).fill(1)]), text(15)]);
  const jpeg = (progressive: boolean) => detailed().jpeg({ progressive }).toBuffer();

  test.each([
    ['factors that no colour has', jpegSegment(0xdb, Buffer.concat([factors(2), factors(3)]))],
    ['codes that no scan has', jpegSegment(0xc4, Buffer.concat([codes(0x02), codes(0x13)]))],
    ['factors that are defined again', jpegSegment(0xdb, Buffer.concat([factors(0), factors(0)]))],
    ['codes that are defined again', jpegSegment(0xc4, Buffer.concat([codes(0x00), codes(0x10)]))],
    ['conditions of another way to compress', jpegSegment(0xcc, text(2))],
    ['intervals that are defined again', Buffer.concat([jpegSegment(0xdd, '<s'), jpegSegment(0xdd, '\0\0')])],
  ])('%s go', async (_, segment) => {
    for (const picture of [await jpeg(false), await jpeg(true)]) {
      const { removed, bytes } = await strip(insert(picture, 2, segment), 'image/jpeg');
      expect(removed).toEqual(['data between the parts']);
      expect(bytes.includes('<s')).toBe(false);
      expect(await looks(bytes)).toEqual(await looks(picture));
    }
  });

  test('of the tables of one segment those stay that are used', async () => {
    const picture = await jpeg(false);
    const at = picture.indexOf(Buffer.from('ffdb', 'hex'));
    const length = picture.readUInt16BE(at + 2);
    const table = picture.subarray(at + 4, at + 2 + length);
    const more = jpegSegment(0xdb, Buffer.concat([factors(3), table, factors(2)]));
    const { bytes } = await strip(
      Buffer.concat([picture.subarray(0, at), more, picture.subarray(at + 2 + length)]),
      'image/jpeg',
    );
    expect(bytes.equals(picture)).toBe(true);
  });

  test('factors between the scans, which are taken before the first, go', async () => {
    const picture = await jpeg(true);
    const second = picture.indexOf(Buffer.from('ffc4', 'hex'), picture.indexOf(Buffer.from('ffda', 'hex')));
    const { bytes } = await strip(insert(picture, second, jpegSegment(0xdb, factors(0))), 'image/jpeg');
    expect(bytes.equals(picture)).toBe(true);
  });

  test('a number of lines that is given again goes', async () => {
    const picture = await jpeg(false);
    const behind = (...texts: string[]) =>
      insert(picture, picture.length - 2, ...texts.map((text) => jpegSegment(0xdc, text)));
    const { removed, bytes } = await strip(behind('\0\x20', '<s', 'cr'), 'image/jpeg');
    expect(removed).toEqual(['data between the parts']);
    expect(bytes.equals(behind('\0\x20'))).toBe(true);
  });

  test('a table that does not end is refused', async () => {
    const picture = insert(await jpeg(false), 2, jpegSegment(0xc4, codes(0).subarray(0, -1)));
    await expect(strip(picture, 'image/jpeg')).rejects.toMatchObject({ code: 'image_invalid' });
  });
});
