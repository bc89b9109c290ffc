import { nameExif } from './name-exif.ts';
import { orientationBlock, readOrientation } from './orientation.ts';
import type { PictureReader } from './picture-reader.ts';
import type { Plan } from './plan.ts';

/** More than a JPEG can hold of it. What lies behind goes unnamed. */
const MAX_EXIF_BYTES = 256 * 1024;

/** What some programs write before a block where the format has no need of it. */
const JPEG_PREFIX = Buffer.from('Exif\0\0');

/**
 * Puts the names of what an Exif block tells on the plan.
 *
 * @returns the block to write in its place, or null where none is needed
 */
export async function reduceExif(
  picture: PictureReader,
  plan: Plan,
  at: number,
  length: number,
): Promise<Buffer | null> {
  const bytes = await picture.read(at, Math.min(length, MAX_EXIF_BYTES));
  const exif = bytes.subarray(0, 6).equals(JPEG_PREFIX) ? bytes.subarray(6) : bytes;
  const orientation = readOrientation(exif);
  const reduced = orientation === null ? null : orientationBlock(orientation);
  if (reduced === null || !reduced.equals(exif)) plan.remove(...(await nameExif(plan, exif)));
  return reduced;
}
