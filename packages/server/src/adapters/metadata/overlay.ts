import type { Box } from './boxes.ts';
import { damaged } from './damaged.ts';
import type { PictureReader } from './picture-reader.ts';
import type { Plan } from './plan.ts';
import type { Range } from './ranges.ts';

const MAX_CHANGES = 10_000;

const ZEROS = Buffer.alloc(64 * 1024);

interface Change {
  at: number;
  end: number;
  /** Null for zeros. */
  bytes: Buffer | null;
}

/** Changes in a file in which everything stays where it is, because offsets all over it say where that is. */
export interface Overlay {
  put(at: number, bytes: Buffer): void;
  /** Overwrites with zeros. @returns whether there was anything else */
  zero(from: number, end: number): Promise<boolean>;
  /** Overwrites all between two places but these ranges, which are in order. @returns whether anything went */
  zeroAllBut(ranges: Range[], from: number, end: number): Promise<boolean>;
  /** Makes a box into one that readers skip, and empties it. @returns whether there was anything in it */
  blank(box: Box): Promise<boolean>;
  /** Puts the file on the plan up to a place, with the changes in it. */
  apply(end: number): void;
}

export function createOverlay(picture: PictureReader, plan: Plan): Overlay {
  const changes: Change[] = [];

  function change(at: number, end: number, bytes: Buffer | null): void {
    if (changes.length >= MAX_CHANGES) throw damaged('it consists of too many parts');
    changes.push({ at, end, bytes });
  }

  async function isZero(from: number, end: number): Promise<boolean> {
    for (let at = from; at < end;) {
      const bytes = (await picture.look(at)).subarray(0, Math.min(end - at, ZEROS.length));
      if (bytes.length === 0 || !bytes.equals(ZEROS.subarray(0, bytes.length))) return false;
      at += bytes.length;
    }
    return true;
  }

  async function zero(from: number, end: number): Promise<boolean> {
    if (await isZero(from, end)) return false;
    change(from, end, null);
    return true;
  }

  return {
    zero,

    put(at, bytes) {
      change(at, at + bytes.length, bytes);
    },

    async zeroAllBut(ranges, from, end) {
      let went = false;
      let at = from;
      for (const range of ranges) {
        if (range.end <= at || range.from >= end) continue;
        if (range.from > at && (await zero(at, range.from))) went = true;
        at = range.end;
      }
      return (at < end && (await zero(at, end))) || went;
    },

    async blank(box) {
      if (box.type !== 'free') change(box.at + 4, box.at + 8, Buffer.from('free'));
      return zero(box.body, box.end);
    },

    apply(end) {
      let done = 0;
      let previous: Change | undefined;
      for (const change of changes.toSorted((a, b) => a.at - b.at)) {
        const { at, end: changed, bytes } = change;
        // Tiles that look the same, and the first frame of what moves, can be the same bytes.
        if (previous !== undefined && isSame(change, previous)) continue;
        previous = change;
        // Two readings of the same bytes: parts that overlap, which no writer makes.
        if (at < done) throw damaged('its parts overlap');
        // What is behind the end is cut off.
        if (at >= end) break;
        plan.keep(done, at - done);
        if (bytes === null) plan.zeros(changed - at);
        else plan.insert(bytes);
        done = changed;
      }
      plan.keep(done, end - done);
    },
  };
}

function isSame(a: Change, b: Change): boolean {
  if (a.at !== b.at || a.end !== b.end) return false;
  return a.bytes === null || b.bytes === null ? a.bytes === b.bytes : a.bytes.equals(b.bytes);
}
