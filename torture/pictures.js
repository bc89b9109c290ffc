import { randomBytes } from 'node:crypto';
import { deflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/**
 * A valid PNG that no other has the bytes of: 8 by 6 pixels, and a comment that makes it as long as asked.
 *
 * @param {number} bytes at least 200
 * @returns {Buffer}
 */
export function uniquePng(bytes) {
  const header = Buffer.from([0, 0, 0, 8, 0, 0, 0, 6, 8, 0, 0, 0, 0]);
  const pixels = deflateSync(Buffer.alloc(6 * 9));
  const start = Buffer.concat([SIGNATURE, chunk('IHDR', header), chunk('IDAT', pixels)]);
  const end = chunk('IEND', Buffer.alloc(0));
  const room = bytes - start.length - end.length - 12 - 'Comment\0'.length;
  const comment = Buffer.from(
    randomBytes(Math.ceil(room / 2))
      .toString('hex')
      .slice(0, room),
    'latin1',
  );
  return Buffer.concat([start, chunk('tEXt', Buffer.concat([Buffer.from('Comment\0'), comment])), end]);
}

/**
 * @param {string} type
 * @param {Buffer} content
 */
function chunk(type, content) {
  const whole = Buffer.alloc(12 + content.length);
  whole.writeUInt32BE(content.length, 0);
  whole.write(type, 4, 'latin1');
  content.copy(whole, 8);
  whole.writeUInt32BE(crc32(whole.subarray(4, 8 + content.length)), 8 + content.length);
  return whole;
}

const TABLE = Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = (value >>> 1) ^ (value & 1 ? 0xed_b8_83_20 : 0);
  return value >>> 0;
});

/** @param {Uint8Array} bytes */
function crc32(bytes) {
  let crc = 0xff_ff_ff_ff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] ?? 0);
  return ~crc >>> 0;
}
