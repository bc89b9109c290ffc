import { randomBytes } from 'node:crypto';
import { deflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** Pixels in a row. */
const WIDTH = 1000;

/**
 * A valid PNG that no other has the bytes of, as long as asked, and all of it pixels: nothing that is removed.
 *
 * @param {number} bytes at least 300
 * @returns {Buffer}
 */
export function uniquePng(bytes) {
  const frame = SIGNATURE.length + 3 * 12 + 13;
  // Stored and not compressed, so that the length is known: 11 bytes around one block of deflate, 5 for each further.
  const stored = (/** @type {number} */ length) => length + 6 + 5 * Math.max(1, Math.ceil(length / 65_535));
  const width = Math.min(WIDTH, Math.floor((bytes - frame - 16) / 2));
  let height = 1;
  while (frame + stored((height + 1) * (width + 1)) <= bytes) height += 1;
  const rows = randomBytes(height * (width + 1));
  for (let at = 0; at < rows.length; at += width + 1) rows[at] = 0;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 0, 0, 0, 0], 8);
  const pixels = deflateSync(rows, { level: 0 });
  // The rest is split off into chunks of pixels without any content, 12 bytes each; up to 11 bytes are left out.
  const whole = [SIGNATURE, chunk('IHDR', header), chunk('IDAT', pixels)];
  const missing = bytes - Buffer.concat(whole).length - 12;
  for (let left = Math.floor(missing / 12); left > 0; left -= 1) whole.push(chunk('IDAT', Buffer.alloc(0)));
  return Buffer.concat([...whole, chunk('IEND', Buffer.alloc(0))]);
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
