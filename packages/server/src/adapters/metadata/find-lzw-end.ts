import type { PictureReader } from './picture-reader.ts';

const MAX_CODES = 4096;

/**
 * Where the compressed pixels of a GIF's image end, which may be before its sub-blocks do (GIF89a specification, appendix F).
 * How many pixels each code stands for is enough to tell.
 *
 * @param from of the first sub-block
 * @param literalBits as the image says in front of it, from 1 to 11
 * @param pixels of the image
 * @returns the last sub-block that is needed, and how many bytes of its data; null where the codes go on to the last
 */
export async function findLzwEnd(
  picture: PictureReader,
  from: number,
  literalBits: number,
  pixels: number,
): Promise<{ block: number; used: number } | null> {
  const clear = 1 << literalBits;
  const end = clear + 1;
  const lengths = new Uint32Array(MAX_CODES).fill(1);
  let bits = literalBits + 1;
  let next = clear + 2;
  let previous: number | null = null;
  let held = 0;
  let heldBits = 0;
  let done = 0;

  /** @returns whether the pixels go on behind this code */
  function take(code: number): boolean {
    if (code === clear) {
      bits = literalBits + 1;
      next = clear + 2;
      previous = null;
      return true;
    }
    // Where a code is none, decoders stop as they do at the end.
    if (code === end || done >= pixels || code > (previous === null ? clear - 1 : next)) return false;
    if (previous !== null && next < MAX_CODES) {
      lengths[next] = (lengths[previous] ?? 0) + 1;
      next += 1;
      if (next === 1 << bits && next < MAX_CODES) bits += 1;
    }
    done += lengths[code] ?? 0;
    previous = code;
    return true;
  }

  for (let block = from; ;) {
    const bytes = await picture.look(block, 256);
    const length = bytes[0] ?? 0;
    if (length === 0) return null;
    for (let used = 1; used <= length; used += 1) {
      held |= (bytes[used] ?? 0) << heldBits;
      heldBits += 8;
      while (heldBits >= bits) {
        const code = held & ((1 << bits) - 1);
        held >>>= bits;
        heldBits -= bits;
        if (!take(code)) return { block, used };
      }
    }
    block += 1 + length;
  }
}
