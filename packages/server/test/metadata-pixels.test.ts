import { describe, expect, test } from 'vitest';
import { detailed, looks, MARKER, strip } from './metadata.ts';

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
