import { damaged } from './damaged.ts';
import type { Overlay } from './overlay.ts';
import type { PictureReader } from './picture-reader.ts';
import type { Plan } from './plan.ts';
import type { Range } from './ranges.ts';

/** Sequence header, frame header, tile group and frame: what pixels are made of. */
const PIXELS = new Set([1, 3, 4, 6]);
const TEMPORAL_DELIMITER = 2;
const METADATA = 5;
const PADDING = 15;

/** The bit that ends the contents of padding, behind which is nothing. */
const TRAILING_BIT = 0x80;

/** Metadata that says how bright the picture is, by its kind, and its length with a trailing bit. */
const BRIGHTNESS = new Map([
  [1, 6],
  [2, 26],
]);

/** The beginning of HDR10+ (SMPTE ST 2094-40), which says it too, scene by scene, and what it takes at the most. */
const HDR10_PLUS = '04b5003c000104';
const HDR10_PLUS_BYTES = 256;

/**
 * Makes padding of what in a frame of AV1 is neither pixels nor brightness: any text can be among its metadata, and decoders
 * skip kinds that nobody has defined (AV1 specification, sections 5.3 and 5.8).
 *
 * @returns to be called with the places of a frame's bytes, in order
 */
export function createObuCleaner(
  picture: PictureReader,
  plan: Plan,
  overlay: Overlay,
): (extents: Range[]) => Promise<void> {
  let overwritten = 0;

  return async (extents) => {
    const bytes = createCursor(extents);
    while (bytes.left > 0) {
      plan.step();
      const [at] = bytes.take(1);
      const header = await read(at);
      if (header & 0x80) throw damaged('its pixels are not as they should be');
      if (header & 4) bytes.take(1);
      const length = header & 2 ? await readLength(bytes) : bytes.left;
      const contents = bytes.take(length);
      const type = (header >> 3) & 15;
      if (PIXELS.has(type) || (type === TEMPORAL_DELIMITER && length === 0)) continue;
      if (type === METADATA && (await isBrightness(contents, length))) continue;

      // The same bytes can be said to be any number of frames.
      overwritten += length;
      if (overwritten > 2 * picture.size) throw damaged('its parts overlap');
      let went = type !== PADDING;
      if (went && at !== undefined) overlay.put(at.from, Buffer.from([(header & 7) | (PADDING << 3)]));
      const last = contents.at(-1);
      if (last !== undefined) {
        last.end -= 1;
        if ((await read({ from: last.end })) !== TRAILING_BIT) {
          overlay.put(last.end, Buffer.from([TRAILING_BIT]));
          went = true;
        }
      }
      for (const { from, end } of contents) {
        if (await overlay.zero(from, end)) went = true;
      }
      if (went) plan.remove('private data of a program');
    }
  };

  async function read(range: { from: number } | undefined): Promise<number> {
    if (range === undefined) throw damaged('it ends in the middle of a part');
    return (await picture.read(range.from, 1)).readUInt8();
  }

  /** Of seven bits a byte, the lowest first. */
  async function readLength(bytes: Cursor): Promise<number> {
    let length = 0;
    for (let index = 0; index < 8; index += 1) {
      const byte = await read(bytes.take(1)[0]);
      length += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return length;
    }
    throw damaged('its pixels are not as they should be');
  }

  async function isBrightness([first]: Range[], length: number): Promise<boolean> {
    if (first === undefined) return false;
    const start = await picture.read(first.from, Math.min(first.end - first.from, HDR10_PLUS.length / 2));
    if (length <= (BRIGHTNESS.get(start.readUInt8()) ?? 0)) return true;
    return length <= HDR10_PLUS_BYTES && start.toString('hex') === HDR10_PLUS;
  }
}

interface Cursor {
  /** Bytes. */
  readonly left: number;
  /** The places of the next bytes. */
  take(count: number): Range[];
}

/** Goes through bytes that lie at several places. */
function createCursor(extents: Range[]): Cursor {
  let left = 0;
  for (const { from, end } of extents) left += end - from;
  let index = 0;
  let done = 0;

  return {
    get left() {
      return left;
    },

    take(count) {
      if (count > left) throw damaged('its pixels are not as they should be');
      left -= count;
      const ranges: Range[] = [];
      for (let wanted = count; wanted > 0;) {
        const extent = extents[index] ?? { from: 0, end: 0 };
        const from = extent.from + done;
        const end = Math.min(extent.end, from + wanted);
        ranges.push({ from, end });
        wanted -= end - from;
        done += end - from;
        if (end < extent.end) continue;
        index += 1;
        done = 0;
      }
      return ranges;
    },
  };
}
