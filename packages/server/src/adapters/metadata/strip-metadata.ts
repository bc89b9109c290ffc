import type { ImageType } from '@imgup/shared';
import { open } from 'node:fs/promises';
import { carryOut } from './carry-out.ts';
import { createPictureReader, type PictureReader } from './picture-reader.ts';
import { createPlan, type Plan } from './plan.ts';
import { planAvif } from './plan-avif.ts';
import { planGif } from './plan-gif.ts';
import { planJpeg } from './plan-jpeg.ts';
import { planPng } from './plan-png.ts';
import { planWebp } from './plan-webp.ts';

interface StripOptions {
  /** Path of the picture. */
  from: string;
  /** Path of the file to be made; there must be none. */
  to: string;
  /** As recognised by its bytes. */
  type: ImageType;
}

interface Stripped {
  /** What went, in the words of people and without its values: "GPS position". Empty where nothing private was there. */
  removed: string[];
  /** Of the file made. */
  bytes: number;
  /** Of the file made, hex. */
  sha256: string;
}

const PLANNERS: Record<ImageType, (picture: PictureReader, plan: Plan) => Promise<void>> = {
  'image/png': planPng,
  'image/jpeg': planJpeg,
  'image/gif': planGif,
  'image/webp': planWebp,
  'image/avif': planAvif,
};

/**
 * Copies a picture without its private metadata, and without anything else that is no part of the picture as it is shown. The
 * compressed pixels are copied as they are; orientation, colours and animation stay. Only what is known to be needed is
 * kept, so that what nobody has thought of goes too. The file made is not durable yet.
 *
 * It takes neither time nor memory by what lengths the file claims: the structure is read first, header by header, and nothing
 * is written unless it can be followed to the end.
 *
 * @returns null where there is nothing to remove: then the picture is as it should be, and no file is made
 * @throws AppError `image_invalid` where the structure is not as the format has it; then no file is made
 */
export async function stripMetadata({ from, to, type }: StripOptions): Promise<Stripped | null> {
  const source = await open(from, 'r');
  try {
    const { size } = await source.stat();
    const plan = createPlan();
    await PLANNERS[type](createPictureReader(source, size), plan);
    if (isWhole(plan, size)) return null;
    const { bytes, sha256 } = await carryOut(plan.pieces, source, to);
    return { removed: plan.removed, bytes, sha256 };
  } finally {
    await source.close();
  }
}

/** Whether the plan keeps every byte where it is. */
function isWhole({ pieces }: Plan, size: number): boolean {
  const [only, another] = pieces;
  return only !== undefined && another === undefined && 'from' in only && only.from === 0 && only.length === size;
}
