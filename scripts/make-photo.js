// Renders docs/photo.jpg, the photo of the demo: a lake between hills at sunset. It is computed, and always the same, so that
// the project needs nobody's picture; in size, type and noise it is like one out of a camera.
//
//     node scripts/make-photo.js [file]
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

const WIDTH = 1600;
const HEIGHT = 1067;
const SHORE = 0.68;
const SUN = { x: 0.6, y: 0.44 };

/** @typedef {[red: number, green: number, blue: number]} Colour each from 0 to 1 */

const SKY_TOP = /** @type {Colour} */ ([0.13, 0.22, 0.42]);
const SKY_MIDDLE = /** @type {Colour} */ ([0.55, 0.5, 0.62]);
const SKY_LOW = /** @type {Colour} */ ([0.98, 0.72, 0.48]);
const SUNLIGHT = /** @type {Colour} */ ([1, 0.9, 0.68]);
const HAZE = /** @type {Colour} */ ([0.86, 0.63, 0.52]);

/** From the farthest to the nearest. */
const HILLS = [
  { top: 0.515, height: 0.3, detail: 2.6, seed: 11, colour: /** @type {Colour} */ ([0.52, 0.44, 0.54]), haze: 0.55 },
  { top: 0.575, height: 0.22, detail: 3.6, seed: 23, colour: /** @type {Colour} */ ([0.32, 0.3, 0.42]), haze: 0.36 },
  { top: 0.625, height: 0.15, detail: 5.2, seed: 37, colour: /** @type {Colour} */ ([0.17, 0.19, 0.26]), haze: 0.2 },
  { top: 0.668, height: 0.085, detail: 9, seed: 53, colour: /** @type {Colour} */ ([0.07, 0.09, 0.11]), haze: 0.07 },
];

const pixels = Buffer.alloc(WIDTH * HEIGHT * 3);
for (let row = 0; row < HEIGHT; row++) {
  for (let column = 0; column < WIDTH; column++) {
    const x = column / WIDTH;
    const y = row / HEIGHT;
    const scene = y < SHORE ? land(x, y) : water(x, y);
    const fromCentre = Math.hypot(x - 0.5, (y - 0.5) * 0.8);
    const light = 1 - 0.55 * fromCentre ** 2;
    const grain = (random(column, row, 97) - 0.5) * 0.06;
    for (const [channel, value] of scene.entries()) {
      pixels[(row * WIDTH + column) * 3 + channel] = Math.round(255 * clamp(value * light + grain));
    }
  }
}

const target = process.argv[2] ?? fileURLToPath(new URL('../docs/photo.jpg', import.meta.url));
const { size } = await sharp(pixels, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
  .jpeg({ quality: 88, mozjpeg: true })
  .toFile(target);
console.log(`${target}: ${WIDTH} x ${HEIGHT}, ${Math.round(size / 1024)} KB`);

/**
 * @param {number} x
 * @param {number} y
 * @returns {Colour}
 */
function land(x, y) {
  let colour = sky(x, y);
  for (const { top, height, detail, seed, colour: hill, haze } of HILLS) {
    const ridge = top - height * (fractal(x * detail, seed * 1.7, seed) - 0.45);
    // Half a pixel of softness, as a lens has it.
    const cover = clamp((y - ridge) * HEIGHT + 0.5);
    if (cover === 0) continue;
    const texture = 0.82 + 0.36 * fractal(x * detail * 9, y * detail * 16, seed + 1);
    const depth = clamp((y - ridge) / 0.12);
    const lit = mix(shade(hill, texture), HAZE, haze * (0.45 + 0.55 * depth));
    colour = mix(colour, lit, cover);
  }
  return colour;
}

/**
 * @param {number} x
 * @param {number} y
 * @returns {Colour}
 */
function sky(x, y) {
  const height = y / 0.62;
  const gradient =
    height < 0.55 ? mix(SKY_TOP, SKY_MIDDLE, height / 0.55) : mix(SKY_MIDDLE, SKY_LOW, (height - 0.55) / 0.45);
  const distance = Math.hypot((x - SUN.x) * (WIDTH / HEIGHT), y - SUN.y);
  const disc = clamp((0.034 - distance) * HEIGHT * 0.25 + 0.5);
  const glow = 0.75 * Math.exp(-distance * 7) + 0.25 * Math.exp(-distance * 2.2);
  const cloud = smooth(0.5, 0.78, fractal(x * 3.2 + 3, y * 11, 71)) * smooth(0.62, 0.2, height);
  const cloudColour = mix(shade(SKY_MIDDLE, 1.12), SUNLIGHT, 0.3 + 0.6 * clamp(1.1 - distance * 1.6));
  return mix(mix(mix(gradient, cloudColour, cloud * 0.8), SUNLIGHT, glow), [1, 0.98, 0.9], disc);
}

/**
 * What stands above the shore, mirrored and shaken by waves that grow towards the viewer.
 *
 * @param {number} x
 * @param {number} y
 * @returns {Colour}
 */
function water(x, y) {
  const depth = (y - SHORE) / (1 - SHORE);
  const waves = fractal(x * (26 - 14 * depth), (y - SHORE) ** 0.6 * 160, 83) - 0.5;
  const mirrored = SHORE - (y - SHORE) * 1.25 + waves * (0.015 + 0.1 * depth);
  const reflection = land(x + waves * 0.012, Math.min(Math.max(mirrored, 0), SHORE - 0.001));
  const glitter = smooth(0.06, 0.26, waves) * Math.exp(-(((x - SUN.x) / (0.03 + 0.09 * depth)) ** 2));
  const surface = mix(shade(reflection, 0.86), [0.08, 0.12, 0.2], 0.2 + 0.34 * depth);
  return mix(surface, SUNLIGHT, glitter * 0.75);
}

/**
 * Noise in five octaves, from 0 to 1.
 *
 * @param {number} x
 * @param {number} y
 * @param {number} seed
 */
function fractal(x, y, seed) {
  let sum = 0;
  for (let octave = 0; octave < 5; octave++) {
    sum += noise(x * 2 ** octave, y * 2 ** octave, seed + octave) / 2 ** (octave + 1);
  }
  return sum;
}

/**
 * @param {number} x
 * @param {number} y
 * @param {number} seed
 */
function noise(x, y, seed) {
  const column = Math.floor(x);
  const row = Math.floor(y);
  const right = smooth(0, 1, x - column);
  const down = smooth(0, 1, y - row);
  const above = blend(random(column, row, seed), random(column + 1, row, seed), right);
  const below = blend(random(column, row + 1, seed), random(column + 1, row + 1, seed), right);
  return blend(above, below, down);
}

/**
 * The same number from 0 to 1 for the same place: a hash, since the picture must not change from run to run.
 *
 * @param {number} column
 * @param {number} row
 * @param {number} seed
 */
function random(column, row, seed) {
  let hash = Math.imul(column, 374_761_393) ^ Math.imul(row, 668_265_263) ^ Math.imul(seed, 2_246_822_519);
  hash = Math.imul(hash ^ (hash >>> 13), 1_274_126_177);
  hash = Math.imul(hash ^ (hash >>> 15), 2_654_435_761);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/**
 * @param {Colour} from
 * @param {Colour} to
 * @param {number} amount
 * @returns {Colour}
 */
function mix(from, to, amount) {
  const share = clamp(amount);
  return [blend(from[0], to[0], share), blend(from[1], to[1], share), blend(from[2], to[2], share)];
}

/**
 * @param {Colour} colour
 * @param {number} light
 * @returns {Colour}
 */
function shade([red, green, blue], light) {
  return [red * light, green * light, blue * light];
}

/**
 * @param {number} from
 * @param {number} to
 * @param {number} share
 */
function blend(from, to, share) {
  return from + (to - from) * share;
}

/**
 * @param {number} from
 * @param {number} to
 * @param {number} value
 */
function smooth(from, to, value) {
  const share = clamp((value - from) / (to - from));
  return share * share * (3 - 2 * share);
}

/** @param {number} value */
function clamp(value) {
  return Math.min(Math.max(value, 0), 1);
}
