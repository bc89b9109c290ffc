import { alphaName } from './alpha-name.ts';
import type { Box } from './boxes.ts';
import { cleanProfile, MAX_PROFILE_BYTES } from './clean-profile.ts';
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
  if (box.type === 'colr' && (await keepColour(picture, plan, overlay, box))) return false;
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

/** Keeps a description of colours, in numbers or as a profile. */
async function keepColour(picture: PictureReader, plan: Plan, overlay: Overlay, { body, end }: Box): Promise<boolean> {
  const from = body + 4;
  if (from > end) return false;
  const type = (await picture.read(body, 4)).toString('latin1');
  if (type === 'nclx') return end - body <= 11;
  if (type !== 'prof' && type !== 'rICC') return false;
  const profile = await picture.read(from, Math.min(end - from, MAX_PROFILE_BYTES));
  const clean = cleanProfile(profile);
  if (clean === null) return false;
  if (!clean.equals(profile.subarray(0, clean.length))) {
    overlay.put(from, clean);
    plan.remove('private data of a program');
  }
  if (await overlay.zero(from + clean.length, end)) plan.remove('private data of a program');
  return true;
}
