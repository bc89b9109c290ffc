import { IMAGE_NAME_MAX_BYTES } from '@imgup/shared';
import { printable } from '../printable.ts';
import { shortenToBytes } from '../shorten-to-bytes.ts';

/** The header that names a picture (RFC 6266), for any name: `attachment; filename="a_.png"; filename*=UTF-8''a%C3%A9.png`. */
export function contentDisposition(name: string): string {
  const clean = shortenToBytes(printable(name), IMAGE_NAME_MAX_BYTES) || 'picture';
  const plain = clean.replace(/[^ !#-[\]-~]/g, '_');
  if (plain === clean) return `attachment; filename="${plain}"`;
  return `attachment; filename="${plain}"; filename*=UTF-8''${extendedValue(clean)}`;
}

/** RFC 8187: every byte outside of `attr-char` is percent-encoded. */
function extendedValue(name: string): string {
  let value = '';
  for (const byte of Buffer.from(name, 'utf8')) {
    const character = String.fromCharCode(byte);
    value += /[A-Za-z0-9!#$&+.^_`|~-]/.test(character)
      ? character
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return value;
}
