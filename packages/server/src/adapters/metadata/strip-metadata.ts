import type { ImageType } from '@imgup/shared';
import type { MetadataStripper, StripOptions, StrippedFile } from '../../ports/metadata-stripper.ts';
import { carryOut } from './carry-out.ts';
import { createMarkerFinder, type MarkerFinder } from './marker-finder.ts';
import { createPictureReader, type PictureReader } from './picture-reader.ts';
import { createPlan, type Plan } from './plan.ts';
import { planAvif } from './plan-avif.ts';
import { planGif } from './plan-gif.ts';
import { planJpeg } from './plan-jpeg.ts';
import { planPng } from './plan-png.ts';
import { planWebp } from './plan-webp.ts';

interface SeenStripOptions extends StripOptions {
  /** That has seen it arrive; null: it is read for what this would know. */
  markers?: MarkerFinder | null;
}

/** For one picture. */
export function createMetadataStripper(): MetadataStripper {
  let markers: MarkerFinder | null = null;
  return {
    watch(chunk) {
      markers ??= createMarkerFinder();
      markers.add(chunk);
    },
    strip: (options) => stripMetadata({ ...options, markers }),
  };
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
export async function stripMetadata(options: SeenStripOptions): Promise<StrippedFile | null> {
  const { from, bytes, known, markers = null, to, type } = options;
  const picture = createPictureReader({ path: from, size: bytes, known, markers });
  try {
    const plan = createPlan();
    await PLANNERS[type](picture, plan);
    if (isWhole(plan, bytes)) return null;
    return { removed: plan.removed, ...(await carryOut(plan.pieces, picture, to)) };
  } finally {
    await picture.close();
  }
}

/** Whether the plan keeps every byte where it is. */
function isWhole({ pieces }: Plan, size: number): boolean {
  const [only, another] = pieces;
  return only !== undefined && another === undefined && 'from' in only && only.from === 0 && only.length === size;
}
