import type { UploadLimiter } from '../../ports/upload-limiter.ts';
import { createSlidingLog } from './sliding-log.ts';

interface MemoryUploadLimiterOptions {
  limit: number;
  windowMs: number;
  now: () => number;
}

/** The upload limit of one process: a sliding log with the user's id as its key. */
export function createMemoryUploadLimiter({ limit, windowMs, now }: MemoryUploadLimiterOptions): UploadLimiter {
  const log = createSlidingLog({ limit, windowMs, now });
  return {
    limit,
    windowMs,
    take: (userId) => Promise.resolve(log.take(userId)),
    peek: (userId) => Promise.resolve(log.peek(userId)),
  };
}
