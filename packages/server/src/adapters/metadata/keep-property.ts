import { alphaName } from './alpha-name.ts';
import type { Box } from './boxes.ts';
import { ICC_HEADER_BYTES, isIccProfile } from './is-icc-profile.ts';
import type { Overlay } from './overlay.ts';
import type { PictureReader } from './picture-reader.ts';
import type { Plan } from './plan.ts';

/** What says how a picture is to be decoded and shown, and the most bytes that it can have. */
const LONGEST: Record<string, number> = {
  ispe: 12,
  pixi: 24,
  pasp: 8,
  clap: 32,
  irot: 1,
  imir: 1,
  av1C: 256,
  a1op: 1,
  a1lx: 13,
  lsel: 2,
  clli: 4,
  mdcv: 24,
  amve: 8,
  cclv: 40,
  ccst: 8,
  btrt: 12,
};

/**
 * Keeps a property of a picture or of a track's frames, or empties it where it is none that is known.
 *
 * @returns whether it says that the picture is the transparency of another
 */
export async function keepProperty(picture: PictureReader, plan: Plan, overlay: Overlay, box: Box): Promise<boolean> {
  const length = box.end - box.body;
  if (length <= (LONGEST[box.type] ?? -1)) return false;
  if (box.type === 'colr' && (await isColour(picture, box))) return false;
  if (box.type === 'auxC' || box.type === 'auxi') {
    const name = await alphaName(picture, box);
    if (name !== null) {
      await overlay.zero(box.body + 4 + name.length, box.end);
      return true;
    }
  }
  if (await overlay.blank(box)) plan.remove('private data of a program');
  return false;
}

async function isColour(picture: PictureReader, box: Box): Promise<boolean> {
  const length = box.end - box.body;
  const start = await picture.read(box.body, Math.min(length, 4 + ICC_HEADER_BYTES));
  const type = start.toString('latin1', 0, 4);
  return type === 'nclx' ? length <= 11 : (type === 'prof' || type === 'rICC') && isIccProfile(start.subarray(4));
}
