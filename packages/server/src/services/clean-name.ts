import { IMAGE_NAME_MAX_BYTES } from '@imgup/shared';

/** The last part of a path, without control characters, cut to the limit between characters; null if nothing is left. */
export function cleanName(name: string): string | null {
  const base = name.split(/[/\\]/).at(-1) ?? '';
  const printable = base.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '').trim();
  let cut = '';
  for (const character of printable) {
    if (Buffer.byteLength(cut + character) > IMAGE_NAME_MAX_BYTES) break;
    cut += character;
  }
  return cut === '' ? null : cut;
}
