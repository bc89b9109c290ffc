import type { ImageType } from '@imgup/shared';

/** Enough for the brands of any AVIF. */
export const HEAD_BYTES = 512;

/** A guess for the `Content-Type`, or null for what no server takes; where there is doubt, the server looks for itself. */
export function sniffType(start: Buffer): ImageType | null {
  const ascii = start.toString('latin1');
  if (ascii.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png';
  if (ascii.startsWith('\xff\xd8\xff')) return 'image/jpeg';
  if (/^GIF8[79]a/.test(ascii)) return 'image/gif';
  if (/^RIFF[^]{4}WEBP/.test(ascii)) return 'image/webp';
  // In doubt too: an AVIF may have its own brand only among those that it is compatible with.
  if (isFtyp(ascii) && /avi[fs]/.test(ascii.slice(8, ftypEnd(start)))) return 'image/avif';
  return null;
}

/** Whether more of a file could not change what is made of it. */
export function isEnough(start: Buffer): boolean {
  if (start.length < LONGEST_SIGNATURE) return false;
  return !isFtyp(start.toString('latin1')) || start.length >= Math.min(HEAD_BYTES, ftypEnd(start));
}

/** "RIFF", a length, "WEBP": in bytes. */
const LONGEST_SIGNATURE = 12;

function isFtyp(ascii: string): boolean {
  return /^[^]{4}ftyp/.test(ascii);
}

/** A box begins with its length in bytes; 0 and 1 mean that it is written elsewhere (ISO/IEC 14496-12, section 4.2). */
function ftypEnd(start: Buffer): number {
  const length = start.readUInt32BE(0);
  return length < 16 ? HEAD_BYTES : length;
}
