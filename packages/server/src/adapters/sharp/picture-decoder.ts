import { rm } from 'node:fs/promises';
import { AppError } from '../../errors.ts';
import type { PictureDecoder } from '../../ports/picture-decoder.ts';
import { createDecoderQueue } from './decoder-queue.ts';
import type { Measured, MeasureTask, ShrinkTask } from './picture-worker.js';

interface DecoderOptions {
  /** The most pixels of a picture, those of all its frames together. */
  maxPixels: number;
}

/** Decoding uses a core and much memory for each. */
const CHECKS_AT_ONCE = 2;

/** Links are public: what is asked for by them must not keep anyone from uploading. */
const VIEWS_AT_ONCE = 1;

const MAX_FRAMES = 1000;

/** Of rows this long, a decoder holds many at once: 60 megapixels took 0.3 GB with these, and 10 GB with rows of 15 million. */
const MAX_SIDE = 32_767;

/** A JPEG in steps has ten or so; in thousands, a small file takes minutes. */
const MAX_SCANS = 100;

/** An AVIF takes as much memory as another picture with so many times its pixels. */
const AVIF_WEIGHT = 3;

/** The width of the version that the check makes. */
const CHECK_WIDTH = 320;

/**
 * Decodes in processes of their own: what brings the decoder down leaves the server up, its memory is not the
 * server's, and it does not take the threads that the server writes files with.
 */
export function createSharpDecoder({ maxPixels }: DecoderOptions): PictureDecoder {
  const checks = createDecoderQueue(CHECKS_AT_ONCE);
  const views = createDecoderQueue(VIEWS_AT_ONCE);

  function refuseTooMuch({ width, height, frames, pixels, scans }: Measured): void {
    if (frames > MAX_FRAMES) throw tooMuch(`${frames} frames, and at most ${MAX_FRAMES} are accepted`);
    const side = Math.max(width, height);
    if (side > MAX_SIDE) throw tooMuch(`a side of ${side} pixels, and at most ${MAX_SIDE} are accepted`);
    if (pixels > maxPixels) {
      throw tooMuch(`${megapixels(pixels)} in all its frames, and at most ${megapixels(maxPixels)} are accepted`);
    }
    if (scans > MAX_SCANS) {
      const detail = `The picture is coded in ${scans} scans, and at most ${MAX_SCANS} are accepted. Export it again.`;
      throw new AppError('image_invalid', detail);
    }
  }

  return {
    makesSmallVersion: true,

    async check(path, to) {
      if (to === null) throw new Error('The decoder was not told where to write the small version.');
      const measure: MeasureTask = { path };
      const measured = await checks.run<Measured>('measure', measure, 0);
      refuseTooMuch(measured);
      const { width, height, frames, pixels, isAvif } = measured;
      const task: ShrinkTask = { path, to, width: CHECK_WIDTH, format: 'webp', maxPixels };
      await removedOnFailure(to, checks.run('check', task, isAvif ? AVIF_WEIGHT * pixels : pixels));
      return { width, height, frames };
    },

    async shrink(path, to, width, format) {
      const task: ShrinkTask = { path, to, width, format, maxPixels };
      await removedOnFailure(to, views.run('shrink', task, 0));
    },

    async close() {
      await Promise.all([checks.close(), views.close()]);
    },
  };
}

async function removedOnFailure(file: string, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
}

function tooMuch(what: string): AppError {
  return new AppError('image_too_many_pixels', `The picture has ${what}. Make it smaller.`);
}

function megapixels(pixels: number): string {
  return `${Math.ceil(pixels / 1e5) / 10} megapixels`;
}
