import { IMAGE_TYPES, type ImageType } from '@imgup/shared';
import { fileTypeFromBuffer } from 'file-type';

/**
 * Recognises a picture by its first bytes; names and headers are not asked.
 *
 * @returns `type` where it is one that is accepted; else `found`, what it seems to be ("video/mp4"), or null
 */
export async function recognisePicture(head: Uint8Array): Promise<{ type: ImageType | null; found: string | null }> {
  const found = (await fileTypeFromBuffer(head))?.mime ?? null;
  // An APNG is a PNG with more frames, and served as one.
  const type = found === 'image/apng' ? 'image/png' : found;
  if (isImageType(type)) return { type, found };
  return { type: null, found: isSvg(head) ? 'SVG (image/svg+xml)' : found };
}

function isImageType(type: string | null): type is ImageType {
  return type !== null && Object.hasOwn(IMAGE_TYPES, type);
}

/** Text that begins as XML or SVG does, with the element near its start. It has no first bytes to be known by. */
function isSvg(head: Uint8Array): boolean {
  const text = Buffer.from(head).toString('utf8');
  return /^\uFEFF?\s*<(?:\?xml|!--|!DOCTYPE|svg|\w+:svg)/.test(text) && /<(?:\w+:)?svg[\s>/]/.test(text);
}
