import { open } from 'node:fs/promises';
import { imageDimensionsFromData } from 'image-dimensions';
import { AppError } from '../../errors.ts';
import type { PictureDecoder } from '../../ports/picture-decoder.ts';
import { refuseTooMuch } from '../refuse-too-much.ts';

interface HeaderDecoderOptions {
  /** Makes the small versions when they are first asked for. */
  decoder: PictureDecoder;
  /** The most pixels that a header may claim. */
  maxPixels: number;
}

/** Headers that begin further back are none that an encoder writes: the metadata before them is gone by now. */
const HEAD_BYTES = 256 * 1024;

/**
 * Looks at what the header of a picture says, and decodes nothing: for who trusts all uploaders, and has no cores to
 * spare. What does not decode is found by its first reader.
 */
export function createHeaderDecoder({ decoder, maxPixels }: HeaderDecoderOptions): PictureDecoder {
  return {
    ...decoder,
    makesSmallVersion: false,
    wake: () => undefined,

    async check(path, _smallVersion, known = []) {
      const [start] = known;
      const size = (start && imageDimensionsFromData(start.bytes)) ?? (await dimensions(path));
      if (size === undefined || size.width === 0 || size.height === 0) {
        throw new AppError(
          'image_invalid',
          'The picture cannot be read (its header does not say its size). Export it again.',
        );
      }
      const { width, height } = size;
      refuseTooMuch({ width, height, frames: 1, pixels: width * height }, maxPixels);
      return { width, height, frames: 1 };
    },
  };
}

async function dimensions(path: string): Promise<{ width: number; height: number } | undefined> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return imageDimensionsFromData(buffer.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}
