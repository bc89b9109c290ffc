import type { Box } from './boxes.ts';
import type { PictureReader } from './picture-reader.ts';

const NAMES = ['urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0', 'urn:mpeg:hevc:2015:auxid:1\0'];

/**
 * The name under which a box (auxC of an item, auxi of a track) makes a picture the transparency of another; null where it
 * is for something else. Depth and its like are not shown, and tell more than the picture does.
 */
export async function alphaName(picture: PictureReader, { body, end }: Box): Promise<string | null> {
  const length = Math.max(0, Math.min(end - body - 4, 64));
  const text = (await picture.read(body + 4, length)).toString('latin1');
  return NAMES.find((name) => text.startsWith(name)) ?? null;
}
