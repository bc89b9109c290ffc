/**
 * Where the markers of a JPEG may be: 0xff before a byte that is neither stuffing, nor fill, nor a restart (ITU-T T.81, annex
 * B.1.1). Found while the picture arrives, so that nobody need read the compressed pixels again to know where they end.
 */
export interface MarkerFinder {
  /** The picture's next bytes. They are not kept. */
  add(chunk: Uint8Array): void;
  /** The first at or behind a place; null: there is none; undefined: not known, because there are too many for a JPEG. */
  next(from: number): number | null | undefined;
}

/** Those that are none lie in profiles, thumbnails and the like: one in 266 of their bytes. */
const MAX_MARKERS = 4096;

const MARKER = 0xff;

export function createMarkerFinder(): MarkerFinder {
  const found: number[] = [];
  let bytes = 0;
  let endsInMarker = false;

  return {
    add(chunk) {
      if (found.length > MAX_MARKERS || chunk.length === 0) return;
      if (endsInMarker && isMarkerCode(chunk[0])) found.push(bytes - 1);
      const last = chunk.length - 1;
      for (let at = chunk.indexOf(MARKER); at !== -1 && at < last; at = chunk.indexOf(MARKER, at + 1))
        if (isMarkerCode(chunk[at + 1])) found.push(bytes + at);
      endsInMarker = chunk[last] === MARKER;
      bytes += chunk.length;
    },

    next(from) {
      if (found.length > MAX_MARKERS && from > (found.at(-1) ?? 0)) return undefined;
      return found.find((at) => at >= from) ?? null;
    },
  };
}

/** Whether a byte behind 0xff makes a marker that is no part of compressed pixels. */
export function isMarkerCode(code: number | undefined): boolean {
  return code !== undefined && code !== 0 && code !== 0xff && !isRestart(code);
}

/** Divides compressed pixels so that damage does not spread. */
export function isRestart(code: number): boolean {
  return code >= 0xd0 && code <= 0xd7;
}
