import sharp from 'sharp';

/** @type {Map<number, { start: (number: number) => Buffer, rest: Buffer }>} */
const made = new Map();

/** A JPEG of noise, of the size that is wanted give or take some; smaller ones are parts of larger ones. */
const noise = await makeNoise();

async function makeNoise() {
  const size = Number(process.env['BENCH_PICTURE_PIXELS'] ?? 64);
  return sharp({
    create: {
      width: size,
      height: size,
      channels: 3,
      background: 'black',
      noise: { type: 'gaussian', mean: 128, sigma: 40 },
    },
  })
    .jpeg({ quality: 90 })
    .toBuffer();
}

/**
 * Pictures of about so many bytes, each of which has bytes of its own at its start, so that no two are the same. Only
 * their header is true to the format: they are for what does not decode them.
 *
 * @param {number} bytes
 */
export function picture(bytes) {
  const known = made.get(bytes);
  if (known !== undefined) return known;
  const end = noise.subarray(0, -2);
  const filling = Buffer.alloc(Math.max(0, bytes - noise.length - COMMENT), 0x5a);
  const rest = Buffer.concat([end.subarray(2), filling, Buffer.from([0xff, 0xd9])]);
  const result = { start, rest };
  made.set(bytes, result);
  return result;
}

/** The start of a file with a comment in it, in bytes. */
const COMMENT = 26;

/** @param {number} number */
function start(number) {
  // SOI, then a comment: FF FE, a length of 22, and 20 digits.
  return Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xfe, 0, 22]), Buffer.from(String(number).padStart(20, '0'))]);
}

/** @param {number} bytes @param {number} number */
export function whole(bytes, number) {
  const { start: own, rest } = picture(bytes);
  return Buffer.concat([own(number), rest]);
}
