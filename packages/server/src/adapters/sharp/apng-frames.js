import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createInflate } from 'node:zlib';

/** @typedef {import('./open-file.js').OpenFile} OpenFile */
/** @typedef {{ at: number, bytes: number, type: 'IDAT' | 'fdAT', width: number, height: number }} Frame */

/** Bits of a pixel for each bit of depth, by the type of colour. */
const CHANNELS = [1, 0, 3, 1, 2, 0, 4];

/** The passes of an interlaced picture: where they begin, and the steps between their pixels. */
const PASSES = /** @type {const} */ ([
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
]);

/** The highest number of a filter, which each row begins with. */
const LAST_FILTER = 4;

/**
 * The frames of a moving PNG (PNG 3rd edition, section 11.3.5), of which libvips sees the first alone, and the picture for those
 * who see no others. Empty where it does not move.
 *
 * @param {OpenFile} file a PNG whose header can be read
 * @returns {Frame[]}
 * @throws Error where one is not inside the picture
 */
export function listApngFrames(file) {
  const { width, height } = readHeader(file);
  /** @type {Frame[]} */
  const frames = [];
  let isMoving = false;
  let hasPixels = false;
  for (const { type, body, at, length } of chunksOf(file, 8)) {
    if (type === 'acTL') isMoving = true;
    else if (type === 'fcTL') {
      if (length !== 26) throw new Error('one of its parts has an impossible length');
      const control = file.read(body, 26);
      const [w, h, x, y] = [4, 8, 12, 16].map((field) => control.readUInt32BE(field));
      if (!w || !h || x === undefined || y === undefined || x + w > width || y + h > height)
        throw new Error('a frame is not inside the picture');
      if (!hasPixels && (w !== width || h !== height)) throw new Error('its first frame is smaller than the picture');
      frames.push({ at: at + 12 + length, bytes: 0, type: hasPixels ? 'fdAT' : 'IDAT', width: w, height: h });
    } else if (type === 'IDAT' || type === 'fdAT') {
      if (type === 'IDAT' && !hasPixels) {
        // Told after the first pixels, it counts for nobody.
        if (!isMoving) return [];
        hasPixels = true;
        if (frames.length === 0) frames.push({ at, bytes: 0, type, width, height });
      }
      const frame = frames.at(-1);
      if (frame?.type !== type || (type === 'fdAT' && length < 4))
        throw new Error('its frames are not where they should be');
      frame.bytes += type === 'fdAT' ? length - 4 : length;
    }
  }
  return frames;
}

/**
 * Inflates every frame, a little at a time, and compares what comes with what must come of its size.
 *
 * @param {OpenFile} file
 * @param {Frame[]} frames
 * @throws Error where a frame is cut short, damaged, too long, or something is hidden behind it
 */
export async function checkApngFrames(file, frames) {
  const header = readHeader(file);
  for (const frame of frames) {
    const inflate = createInflate();
    await pipeline(Readable.from(dataOf(file, frame)), inflate, checkRows(rowsOf(header, frame)));
    if (inflate.bytesWritten !== frame.bytes) throw new Error('something is hidden behind a frame');
  }
}

/** @param {OpenFile} file */
function readHeader(file) {
  const header = file.read(16, 13);
  const channels = CHANNELS[header.readUInt8(9)] ?? 0;
  return {
    width: header.readUInt32BE(0),
    height: header.readUInt32BE(4),
    bits: header.readUInt8(8) * channels,
    isInterlaced: header.readUInt8(12) === 1,
  };
}

/**
 * @param {OpenFile} file
 * @param {number} from
 */
function* chunksOf(file, from) {
  for (let at = from; ;) {
    const header = file.read(at, 8);
    const length = header.readUInt32BE();
    const type = header.toString('latin1', 4);
    if (type === 'IEND') return;
    yield { type, at, body: at + 8, length };
    at += 12 + length;
  }
}

/**
 * @param {OpenFile} file
 * @param {Frame} frame
 */
function* dataOf(file, frame) {
  for (const { type, body, length } of chunksOf(file, frame.at)) {
    if (type === 'fcTL') return;
    if (type !== frame.type) continue;
    // Frames behind the first have a number in front of their pixels.
    for (let at = type === 'fdAT' ? body + 4 : body; at < body + length;) {
      const bytes = Buffer.from(file.look(at).subarray(0, body + length - at));
      if (bytes.length === 0) throw new Error('it ends in the middle of a frame');
      yield bytes;
      at += bytes.length;
    }
  }
}

/**
 * The lengths of a frame's rows in bytes, and how many rows there are of each.
 *
 * @param {{ bits: number, isInterlaced: boolean }} header
 * @param {Frame} frame
 */
function* rowsOf({ bits, isInterlaced }, { width, height }) {
  for (const [x, y, right, down] of isInterlaced ? PASSES : /** @type {const} */ ([[0, 0, 1, 1]])) {
    const pixels = Math.ceil((width - x) / right);
    const rows = Math.ceil((height - y) / down);
    for (let row = 0; row < rows && pixels > 0; row += 1) yield 1 + Math.ceil((pixels * bits) / 8);
  }
}

/** @param {Iterator<number>} rows */
function checkRows(rows) {
  return async (/** @type {AsyncIterable<Buffer>} */ source) => {
    let left = 0;
    for await (const bytes of source) {
      for (let at = 0; at < bytes.length;) {
        if (left === 0) {
          const next = rows.next();
          if (next.done) throw new Error('a frame has more pixels than it should');
          if ((bytes[at] ?? 0) > LAST_FILTER) throw new Error('a frame is damaged');
          left = next.value;
        }
        const step = Math.min(left, bytes.length - at);
        left -= step;
        at += step;
      }
    }
    if (left > 0 || !rows.next().done) throw new Error('a frame has fewer pixels than it should');
  };
}
