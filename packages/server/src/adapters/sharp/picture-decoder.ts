import { rm } from 'node:fs/promises';
import { AppError } from '../../errors.ts';
import { noMetrics, type Metrics } from '../../ports/metrics.ts';
import type { PictureDecoder } from '../../ports/picture-decoder.ts';
import { MOST_FRAMES, LONGEST_SIDE, refuseTooMuch } from '../refuse-too-much.ts';
import { createDecoderQueue, LARGE_PIXELS } from './decoder-queue.ts';
import type { Limits, Measured, ShrinkTask } from './picture-worker.js';

interface DecoderOptions {
  /** The most pixels of a picture, those of all its frames together. */
  maxPixels: number;
  metrics?: Metrics;
}

/** Decoding uses a core and much memory for each. */
const CHECKS_AT_ONCE = 2;

/** Links are public: what is asked for by them must not keep anyone from uploading. */
const VIEWS_AT_ONCE = 1;

/** A JPEG in steps has ten or so; in thousands, a small file takes minutes. */
const MAX_SCANS = 100;

/** The width of the version that the check makes. */
const CHECK_WIDTH = 320;

/**
 * Decodes in processes of their own: what brings the decoder down leaves the server up, its memory is not the
 * server's, and it does not take the threads that the server writes files with.
 */
export function createSharpDecoder({ maxPixels, metrics = noMetrics }: DecoderOptions): PictureDecoder {
  const checks = createDecoderQueue(CHECKS_AT_ONCE);
  const views = createDecoderQueue(VIEWS_AT_ONCE);
  for (const [name, queue] of Object.entries({ uploads: checks, small_versions: views })) {
    const jobs = 'Pictures that are being decoded, and those that wait for a decoder.';
    metrics.gauge('imgup_decoder_jobs', jobs, () => queue.load().running, { queue: name, state: 'running' });
    metrics.gauge('imgup_decoder_jobs', jobs, () => queue.load().waiting, { queue: name, state: 'waiting' });
  }

  const limits: Limits = {
    side: LONGEST_SIDE,
    frames: MOST_FRAMES,
    pixels: maxPixels,
    scans: MAX_SCANS,
    cost: Number.MAX_SAFE_INTEGER,
  };

  function refuseHopeless(measured: Measured): void {
    refuseTooMuch(measured, maxPixels);
    if (measured.scans > MAX_SCANS) {
      const detail = `The picture is coded in ${measured.scans} scans, and at most ${MAX_SCANS} are accepted. Export it again.`;
      throw new AppError('image_invalid', detail);
    }
  }

  return {
    makesSmallVersion: true,
    wake: checks.wake,

    async check(path, to) {
      if (to === null) throw new Error('The decoder was not told where to write the small version.');
      const task: ShrinkTask = { path, to, width: CHECK_WIDTH, format: 'webp', limits };
      const check = (of: ShrinkTask, cost: number) =>
        removedOnFailure(to, checks.run<Measured & { isChecked: boolean }>('check', of, cost));
      // Most pictures need not be looked at twice; a large one says what it costs, and waits for its turn.
      const seen = await check({ ...task, limits: { ...limits, cost: LARGE_PIXELS - 1 } }, 0);
      refuseHopeless(seen);
      const isChecked = seen.isChecked || (await check(task, seen.cost)).isChecked;
      if (!isChecked) throw new Error('A picture that was not refused has not been decoded.');
      const { width, height, frames } = seen;
      return { width, height, frames };
    },

    async shrink(path, to, width, format) {
      const task: ShrinkTask = { path, to, width, format, limits };
      await removedOnFailure(to, views.run('shrink', task, 0));
    },

    async close() {
      await Promise.all([checks.close(), views.close()]);
    },
  };
}

async function removedOnFailure<T>(file: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
}
