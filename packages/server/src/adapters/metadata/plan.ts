import { damaged } from './damaged.ts';
import { WENT, type Went } from './went.ts';

/** A range of the picture as it is, other bytes, or so many zero bytes. */
export type Piece = { from: number; length: number } | { bytes: Uint8Array } | { zeros: number };

/** A picture of 25 MB in the smallest parts that encoders make has a tenth of these. */
const MAX_STEPS = 200_000;

/** Neighbours that are kept are one piece, so only a file made for it has as many. */
const MAX_PIECES = 10_000;

/** Cameras write one. To understand one takes time, so of thousands most go without. */
const MAX_NAMED_EXIF = 4;

/** What is to be written, from the first byte to the last, and what will not be. */
export interface Plan {
  readonly pieces: readonly Piece[];
  /** Bytes, of all pieces. */
  readonly length: number;
  /** In the order of WENT. */
  readonly removed: Went[];
  keep(from: number, length: number): void;
  /** The bytes may still be changed until the plan is carried out, for a length that is known last. */
  insert(bytes: Uint8Array): void;
  zeros(count: number): void;
  remove(...names: Went[]): void;
  /** To be called for every part that is looked at, so that a file in millions of parts costs no more than a bounded time. */
  step(): void;
  /** Whether one more block of Exif may be read for what it tells. */
  mayNameExif(): boolean;
}

export function createPlan(): Plan {
  const pieces: Piece[] = [];
  const removed = new Set<Went>();
  let length = 0;
  let steps = 0;
  let namedExif = 0;

  function add(piece: Piece, bytes: number): void {
    if (pieces.length >= MAX_PIECES) throw damaged('it consists of too many parts');
    pieces.push(piece);
    length += bytes;
  }

  return {
    pieces,
    get length() {
      return length;
    },
    get removed() {
      return WENT.filter((name) => removed.has(name));
    },

    keep(from, count) {
      if (count === 0) return;
      const last = pieces.at(-1);
      if (last !== undefined && 'from' in last && last.from + last.length === from) {
        last.length += count;
        length += count;
      } else add({ from, length: count }, count);
    },

    insert(bytes) {
      add({ bytes }, bytes.length);
    },

    zeros(count) {
      if (count > 0) add({ zeros: count }, count);
    },

    remove(...names) {
      for (const name of names) removed.add(name);
    },

    step() {
      steps += 1;
      if (steps > MAX_STEPS) throw damaged('it consists of too many parts');
    },

    mayNameExif() {
      namedExif += 1;
      return namedExif <= MAX_NAMED_EXIF;
    },
  };
}
