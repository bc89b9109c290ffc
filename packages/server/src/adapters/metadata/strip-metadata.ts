import type { ImageType } from '@imgup/shared';
import { open } from 'node:fs/promises';
import type { MetadataStripper } from '../../ports/metadata-stripper.ts';
import type { WrittenFile } from '../../ports/written-file.ts';
import { carryOut } from './carry-out.ts';
import { createMarkerFinder, type MarkerFinder } from './marker-finder.ts';
import { createFileReader, createMemoryReader, type PictureReader } from './picture-reader.ts';
import { createPlan, type Plan } from './plan.ts';
import { planAvif } from './plan-avif.ts';
import { planGif } from './plan-gif.ts';
import { planJpeg } from './plan-jpeg.ts';
import { planPng } from './plan-png.ts';
import { planWebp } from './plan-webp.ts';

interface StripOptions {
  /** Path of the picture. */
  from: string;
  /** All that it holds, where that is in memory. */
  content?: Buffer | null;
  /** That has seen it arrive; null: it is read for what this would know. */
  markers?: MarkerFinder | null;
  /** Path of the file to be made; there must be none. */
  to: string;
  /** As recognised by its bytes. */
  type: ImageType;
}

interface Stripped {
  /** To be closed by the caller. */
  file: WrittenFile;
  /** What went, in the words of people and without its values: "GPS position". Empty where nothing private was there. */
  removed: string[];
  /** Of the file made. */
  bytes: number;
  /** Of the file made, hex. */
  sha256: string;
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
export async function stripMetadata({
  from,
  content = null,
  markers = null,
  to,
  type,
}: StripOptions): Promise<Stripped | null> {
  if (content !== null) return strip(createMemoryReader(content, markers), to, type);
  const file = await open(from, 'r');
  try {
    return await strip(createFileReader(file, (await file.stat()).size, markers), to, type);
  } finally {
    // It was only read. A failure would leave the copy open, for nobody would be told of it.
    await file.close().catch(() => undefined);
  }
}

async function strip(picture: PictureReader, to: string, type: ImageType): Promise<Stripped | null> {
  const plan = createPlan();
  await PLANNERS[type](picture, plan);
  if (isWhole(plan, picture.size)) return null;
  return { removed: plan.removed, ...(await carryOut(plan.pieces, picture, to)) };
}

/** Whether the plan keeps every byte where it is. */
function isWhole({ pieces }: Plan, size: number): boolean {
  const [only, another] = pieces;
  return only !== undefined && another === undefined && 'from' in only && only.from === 0 && only.length === size;
}
