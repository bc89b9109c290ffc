const SHORTEST = 8;

/** So many characters of an id are no chance: what is meant by fewer could be another's. */
export const ID_LEAST = 4;

/** As much of the beginning of each as tells all of them apart, so that it can be typed in place of the whole. */
export function shortenIds(ids: string[]): string[] {
  const longest = Math.max(0, ...ids.map((id) => id.length));
  for (let length = SHORTEST; length < longest; length += 1) {
    const short = ids.map((id) => id.slice(0, length));
    if (new Set(short).size === ids.length) return short;
  }
  return ids;
}
