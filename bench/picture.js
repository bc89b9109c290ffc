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
 * Pictures of about so many bytes, each of which has bytes of its own among its pixels, so that no two are the same. Only
 * their header is true to the format: they are for what does not decode them. There is nothing private in them.
 *
 * @param {number} bytes
 */
export function picture(bytes) {
  const known = made.get(bytes);
  if (known !== undefined) return known;
  const head = noise.subarray(0, -2);
  const filling = Buffer.alloc(Math.max(0, bytes - head.length - DIGITS), 0x5a);
  const rest = Buffer.concat([filling, Buffer.from([0xff, 0xd9])]);
  const result = {
    start: (/** @type {number} */ number) => Buffer.concat([head, Buffer.from(String(number).padStart(DIGITS, '0'))]),
    rest,
  };
  made.set(bytes, result);
  return result;
}

const DIGITS = 20;

/** @param {number} bytes @param {number} number */
export function whole(bytes, number) {
  const { start: own, rest } = picture(bytes);
  return Buffer.concat([own(number), rest]);
}
