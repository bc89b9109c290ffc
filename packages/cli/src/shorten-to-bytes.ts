/** As many whole characters of a text as there is room for, in bytes of UTF-8. */
export function shortenToBytes(text: string, max: number): string {
  let short = '';
  let bytes = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > max) break;
    short += character;
  }
  return short;
}
