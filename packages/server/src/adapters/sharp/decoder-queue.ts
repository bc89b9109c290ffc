import { IMAGE_TYPE_NAMES } from '@imgup/shared';
import pLimit from 'p-limit';
import { AppError } from '../../errors.ts';
import { createWorkerPool, WorkerFailure } from '../../worker-pool.ts';
import type { Outcome } from './picture-worker.js';

/** Pictures from here on are decoded one at a time, because one may take half a gigabyte of memory (an interlaced PNG). */
export const LARGE_PIXELS = 16_000_000;

/** Those that wait beyond this are told to come back. */
const MAX_WAITING = 64;

/** Milliseconds. Neither libvips' own time-out nor any other ends a decoder that goes over a picture again and again. */
const LONGEST_JOB = 30_000;

/** Runs jobs of picture-worker.js in processes, so many at once; more wait in bounded number. */
export function createDecoderQueue(workers: number) {
  const pool = createWorkerPool({
    file: new URL('./picture-worker.js', import.meta.url),
    runtime: 'child_process',
    workers,
    maxWaiting: MAX_WAITING,
    longest: LONGEST_JOB,
  });
  const few = pLimit(workers);
  const alone = pLimit(1);

  async function runNow<T>(name: string, task: object): Promise<T> {
    let result: Outcome<T>;
    try {
      result = (await pool.run(name, task)) as Outcome<T>;
    } catch (error) {
      if (!(error instanceof WorkerFailure)) throw error;
      if (error.code === 'worker_died') throw undecodable('the decoder gave up on it', error);
      throw error.code === 'job_too_long' ? undecodable('it takes too long', error) : busy(error);
    }
    if (result.ok) return result.value;
    if (result.reason === 'Input file contains unsupported image format') throw unknown();
    throw isStorageFault(result.reason) ? storageFault(result.reason) : undecodable(firstLine(result.reason));
  }

  return {
    /**
     * @param pixels what it costs to decode, where that is known to be much: from a size on, such jobs wait for each other
     * @throws AppError `image_invalid`, `image_type_unsupported`, `server_busy`, `storage_full`, `storage_unavailable`
     */
    async run<T>(name: 'check' | 'shrink', task: object, pixels: number): Promise<T> {
      if (few.pendingCount + alone.pendingCount >= MAX_WAITING) throw busy();
      const work = () => runNow<T>(name, task);
      return pixels >= LARGE_PIXELS ? alone(() => few(work)) : few(work);
    },

    wake: pool.wake,

    /** Jobs that are being done, and those that wait. */
    load() {
      return { running: few.activeCount, waiting: few.pendingCount + alone.pendingCount };
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

/** An AVIF of a kind that libheif has no decoder for. */
function unknown(): AppError {
  const detail = `This kind of picture is not known here; accepted are ${IMAGE_TYPE_NAMES}.`;
  return new AppError('image_type_unsupported', detail);
}

function undecodable(reason: string, cause?: unknown): AppError {
  return new AppError('image_invalid', `The picture cannot be decoded (${reason}). Export it again.`, { cause });
}

/** What the operating system has said, to libvips or to Node. Who sends a good picture must not be told that it is damaged. */
function isStorageFault(reason: string): boolean {
  return /^Input file is missing|^system error: |^Error: E[A-Z0-9]+: /m.test(reason);
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
  return line.replaceAll(/(?<!\w)\/\S+/g, 'the file').slice(0, 120) || 'it is damaged';
}
