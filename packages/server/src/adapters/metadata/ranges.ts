import { damaged } from './damaged.ts';

export interface Range {
  from: number;
  end: number;
}

/** Frames lie one behind the other, and are one range then, so only a file made for it has as many. */
const MAX_RANGES = 10_000;

/** The bytes that something refers to. */
export interface Ranges {
  add(from: number, length: number): void;
  /** In order, and without overlaps. */
  sorted(): Range[];
}

export function createRanges(): Ranges {
  const ranges: Range[] = [];
  return {
    add(from, length) {
      const last = ranges.at(-1);
      if (last?.end === from) last.end += length;
      else if (ranges.length >= MAX_RANGES) throw damaged('it consists of too many parts');
      else ranges.push({ from, end: from + length });
    },

    sorted() {
      const merged: Range[] = [];
      for (const { from, end } of ranges.toSorted((a, b) => a.from - b.from)) {
        const last = merged.at(-1);
        if (last !== undefined && from <= last.end) last.end = Math.max(last.end, end);
        else merged.push({ from, end });
      }
      return merged;
    },
  };
}
