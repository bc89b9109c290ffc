import { rm } from 'node:fs/promises';
import pLimit from 'p-limit';
import { AppError } from '../../errors.ts';
import type { PictureDecoder, SmallFormat, SmallWidth } from '../../ports/picture-decoder.ts';
import { createWorkerPool, WorkerFailure } from '../../worker-pool.ts';
import type { Measured, MeasureTask, Outcome, ShrinkTask } from './picture-worker.js';

interface DecoderOptions {
  /** The most pixels of a picture, those of all its frames together. */
  maxPixels: number;
}

/** Decoding uses a core and much memory for each. */
const AT_ONCE = 2;

/** Pictures from here on are decoded alone, because one may take half a gigabyte of memory (an interlaced PNG). */
const LARGE_PIXELS = 16_000_000;

/** Those that wait beyond this are told to come back. */
const MAX_WAITING = 64;

const MAX_FRAMES = 1000;
const TIMEOUT_SECONDS = 30;

/** In milliseconds: beyond libvips' own time-out, which a decoder that hangs does not look at. */
const LONGEST_JOB = 60_000;

/** The width of the version that the check makes. */
const CHECK_WIDTH = 320;

/**
 * Decodes in processes of their own: what brings the decoder down leaves the server up, its memory is not the
 * server's, and it does not take the threads that the server writes files with.
 */
export function createSharpDecoder({ maxPixels }: DecoderOptions): PictureDecoder {
  const pool = createWorkerPool({
    file: new URL('./picture-worker.js', import.meta.url),
    runtime: 'child_process',
    workers: AT_ONCE,
    maxWaiting: MAX_WAITING,
    longest: LONGEST_JOB,
  });
  const few = pLimit(AT_ONCE);
  const alone = pLimit(1);

  async function run<T>(name: 'measure' | 'shrink', task: MeasureTask | ShrinkTask): Promise<T> {
    let result: Outcome<T>;
    try {
      result = (await pool.run(name, task)) as Outcome<T>;
    } catch (error) {
      if (!(error instanceof WorkerFailure)) throw error;
      throw error.code === 'worker_died' ? undecodable('the decoder gave up on it', error) : busy(error);
    }
    if (result.ok) return result.value;
    // libvips says the same of a damaged file and of one that cannot be opened, for want of descriptors say. Who sends
    // a good picture must not be told that it is damaged.
    if (/missing|unable to (open|read|write)|system error/i.test(result.reason)) throw storageFault(result.reason);
    throw undecodable(firstLine(result.reason));
  }

  async function queued<T>(pixels: number, work: () => Promise<T>): Promise<T> {
    if (few.pendingCount + alone.pendingCount >= MAX_WAITING) {
      throw busy();
    }
    return pixels >= LARGE_PIXELS ? alone(() => few(work)) : few(work);
  }

  const measure = (path: string) => queued(0, () => run<Measured>('measure', { path }));

  async function write(path: string, to: string, pixels: number, width: SmallWidth, format: SmallFormat) {
    const task: ShrinkTask = { path, to, width, format, maxPixels, timeoutSeconds: TIMEOUT_SECONDS };
    try {
      await queued(pixels, () => run<null>('shrink', task));
    } catch (error) {
      await rm(to, { force: true });
      throw error;
    }
  }

  return {
    async check(path, smallVersion) {
      const measured = await measure(path);
      const { width, height, frames } = measured;
      const pixels = width * height * frames;
      if (frames > MAX_FRAMES) throw tooMuch(`${frames} frames, and at most ${MAX_FRAMES} are accepted`);
      if (pixels > maxPixels) {
        throw tooMuch(`${megapixels(pixels)} in all its frames, and at most ${megapixels(maxPixels)} are accepted`);
      }
      await write(path, smallVersion, pixels, CHECK_WIDTH, 'webp');
      return { ...measured, hasSmallVersion: true };
    },

    async shrink(path, smallVersion, width, format) {
      const { width: full, height, frames } = await measure(path);
      await write(path, smallVersion, full * height * frames, width, format);
    },

    async close() {
      await pool.close();
    },
  };
}

function busy(cause?: unknown): AppError {
  return new AppError('server_busy', 'Too many pictures are being checked. Try again in a few seconds.', {
    headers: { 'Retry-After': '5' },
    cause,
  });
}

function undecodable(reason: string, cause?: unknown): AppError {
  return new AppError('image_invalid', `The picture cannot be decoded (${reason}). Export it again.`, { cause });
}

function tooMuch(what: string): AppError {
  return new AppError('image_too_many_pixels', `The picture has ${what}. Make it smaller.`);
}

function megapixels(pixels: number): string {
  return `${Math.ceil(pixels / 1e5) / 10} megapixels`;
}

function storageFault(reason: string): AppError {
  const cause = new Error(reason);
  if (/no space left|quota/i.test(reason)) {
    const detail = 'The server has no room left. Tell its owner, and try again later.';
    return new AppError('storage_full', detail, { cause });
  }
  const detail = 'The server cannot use its storage at the moment. Try again later.';
  return new AppError('storage_unavailable', detail, { headers: { 'Retry-After': '30' }, cause });
}

/** libvips' first line, without paths of this server. */
function firstLine(reason: string): string {
  const [line = ''] = reason.split('\n');
  return line.replaceAll(/\/\S+/g, 'the file').slice(0, 120) || 'it is damaged';
}
