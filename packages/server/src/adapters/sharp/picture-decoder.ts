import { rm } from 'node:fs/promises';
import pLimit from 'p-limit';
import sharp, { type Sharp } from 'sharp';
import { AppError } from '../../errors.ts';
import type { PictureDecoder, SmallFormat, SmallWidth } from '../../ports/picture-decoder.ts';
import { readHeader } from './read-header.ts';

interface DecoderOptions {
  /** The most pixels of a picture, those of all its frames together. */
  maxPixels: number;
}

/** libvips decodes in libuv's four threads, which file writes need too: more at once starve every upload. */
const AT_ONCE = 2;

/** Pictures from here on are decoded alone, because one may take half a gigabyte of memory (an interlaced PNG). */
const LARGE_PIXELS = 16_000_000;

/** Those that wait beyond this are told to come back. */
const MAX_WAITING = 64;

const MAX_FRAMES = 1000;
const TIMEOUT_SECONDS = 30;

/** The width of the version that the check makes. */
const CHECK_WIDTH = 320;

// What libvips would keep between pictures is never asked for again.
sharp.cache(false);
// Two pictures at once use the cores of a small machine; more threads for each would only fight.
sharp.concurrency(1);

export function createSharpDecoder({ maxPixels }: DecoderOptions): PictureDecoder {
  const few = pLimit(AT_ONCE);
  const alone = pLimit(1);

  async function queued<T>(pixels: number, work: () => Promise<T>): Promise<T> {
    if (few.pendingCount + alone.pendingCount >= MAX_WAITING) {
      throw new AppError('server_busy', 'Too many pictures are being checked. Try again in a few seconds.', {
        headers: { 'Retry-After': '5' },
      });
    }
    return pixels >= LARGE_PIXELS ? alone(() => few(work)) : few(work);
  }

  /** `pages: -1` reads all frames, so a fault in the last one is found too. */
  function open(path: string): Sharp {
    const options = { failOn: 'error', pages: -1, limitInputPixels: maxPixels, sequentialRead: true } as const;
    return sharp(path, options).timeout({ seconds: TIMEOUT_SECONDS });
  }

  return {
    async check(path, smallVersion) {
      try {
        // Its limits are checked here, with sentences of their own.
        const metadata = await readHeader(path);
        const { width, height } = metadata.autoOrient;
        const frames = metadata.pages ?? 1;
        const pixels = width * height * frames;
        if (frames > MAX_FRAMES) throw tooMuch(`${frames} frames, and at most ${MAX_FRAMES} are accepted`);
        if (pixels > maxPixels) {
          throw tooMuch(`${megapixels(pixels)} in all its frames, and at most ${megapixels(maxPixels)} are accepted`);
        }
        await queued(pixels, () => write(open(path), smallVersion, CHECK_WIDTH, 'webp'));
        return { width, height, frames };
      } catch (error) {
        await rm(smallVersion, { force: true });
        if (error instanceof AppError) throw error;
        // libvips says the same of a damaged file and of one that cannot be opened, for want of descriptors say. Who
        // sends a good picture must not be told that it is damaged.
        if (/missing|unable to (open|read|write)|system error/i.test(reason(error))) throw storageFault(error);
        throw new AppError('image_invalid', `The picture cannot be decoded (${reason(error)}). Export it again.`, {
          cause: error,
        });
      }
    },

    async shrink(path, smallVersion, width, format) {
      const { width: full, height, pages = 1 } = await readHeader(path);
      await queued(full * height * pages, () => write(open(path), smallVersion, width, format));
    },
  };
}

async function write(picture: Sharp, to: string, width: SmallWidth, format: SmallFormat): Promise<void> {
  const small = picture.autoOrient().resize({ width, withoutEnlargement: true }).toColourspace('srgb');
  switch (format) {
    case 'webp':
      await small.webp({ quality: 80, effort: 2 }).toFile(to);
      return;
    case 'jpeg':
      await small.flatten({ background: 'white' }).jpeg({ quality: 82, progressive: true }).toFile(to);
      return;
    case 'png':
      await small.png().toFile(to);
  }
}

function tooMuch(what: string): AppError {
  return new AppError('image_too_many_pixels', `The picture has ${what}. Make it smaller.`);
}

function megapixels(pixels: number): string {
  return `${Math.ceil(pixels / 1e5) / 10} megapixels`;
}

function storageFault(cause: unknown): AppError {
  const detail = 'The server cannot use its storage at the moment. Try again later.';
  return new AppError('storage_unavailable', detail, { headers: { 'Retry-After': '30' }, cause });
}

/** libvips' first line, without paths of this server. */
function reason(error: unknown): string {
  const [line = ''] = (error instanceof Error ? error.message : '').split('\n');
  return line.replaceAll(/\/\S+/g, 'the file').slice(0, 120) || 'it is damaged';
}
