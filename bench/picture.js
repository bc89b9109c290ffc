import { readFileSync } from 'node:fs';

/**
 * As many pictures as are wanted out of one that `makePicture` has made. No two are the same: their number stands where a JPEG
 * says how many dots an inch has.
 *
 * @typedef {{ start: (number: number) => Buffer, rest: Buffer }} Picture
 */

/** Where the density stands in the JFIF header that every such file begins with, and behind which nothing changes. */
const DENSITY = 14;
const SAME_FROM = 18;

/** @param {string} file @returns {Picture} */
export function readPicture(file) {
  const bytes = readFileSync(file);
  const rest = bytes.subarray(SAME_FROM);
  return {
    rest,
    start(number) {
      const own = Buffer.from(bytes.subarray(0, SAME_FROM));
      own.writeUInt16BE(1 + (Math.floor(number / 0xffff) % 0xffff), DENSITY);
      own.writeUInt16BE(1 + (number % 0xffff), DENSITY + 2);
      return own;
    },
  };
}

/** @param {Picture} picture @param {number} number */
export function whole({ start, rest }, number) {
  return Buffer.concat([start(number), rest]);
}
