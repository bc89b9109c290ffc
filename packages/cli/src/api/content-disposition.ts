import { IMAGE_NAME_MAX_BYTES } from '@imgup/shared';
import { printable } from '../printable.ts';

/** The header that names a picture (RFC 6266), for any name: `attachment; filename="a_.png"; filename*=UTF-8''a%C3%A9.png`. */
export function contentDisposition(name: string): string {
  const clean = shortened(printable(name)) || 'picture';
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

function shortened(name: string): string {
  let short = '';
  let bytes = 0;
  for (const character of name) {
    bytes += Buffer.byteLength(character);
    if (bytes > IMAGE_NAME_MAX_BYTES) break;
    short += character;
  }
  return short;
}
