import { AppError } from '../errors.ts';

export const MOST_FRAMES = 1000;

/** Of rows this long, a decoder holds many at once: 60 megapixels took 0.3 GB with these, and 10 GB with rows of 15 million. */
export const LONGEST_SIDE = 32_767;

interface Size {
  width: number;
  height: number;
  frames: number;
  /** Of all frames. */
  pixels: number;
}

/** What no picture may be larger than, however closely it is looked at. @throws AppError `image_too_many_pixels` */
export function refuseTooMuch({ width, height, frames, pixels }: Size, maxPixels: number): void {
  if (frames > MOST_FRAMES) throw tooMuch(`${frames} frames, and at most ${MOST_FRAMES} are accepted`);
  const side = Math.max(width, height);
  if (side > LONGEST_SIDE) throw tooMuch(`a side of ${side} pixels, and at most ${LONGEST_SIDE} are accepted`);
  if (pixels > maxPixels) {
    throw tooMuch(`${megapixels(pixels)} in all its frames, and at most ${megapixels(maxPixels)} are accepted`);
  }
}

function tooMuch(what: string): AppError {
  return new AppError('image_too_many_pixels', `The picture has ${what}. Make it smaller.`);
}

function megapixels(pixels: number): string {
  return `${Math.ceil(pixels / 1e5) / 10} megapixels`;
}
