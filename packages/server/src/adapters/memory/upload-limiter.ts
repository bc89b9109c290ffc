import { REFUSALS_MAX, type LimitState, type UploadLimiter } from '../../ports/upload-limiter.ts';
import { createSlidingLog, type SlidingLogState } from './sliding-log.ts';

interface MemoryUploadLimiterOptions {
  limit: number;
  windowMs: number;
  now: () => number;
}

/** The upload limit of one process: a sliding log with the user's id as its key. */
export function createMemoryUploadLimiter({ limit, windowMs, now }: MemoryUploadLimiterOptions): UploadLimiter {
  const log = createSlidingLog({ limit, windowMs, now });
  const refusals = createSlidingLog({ limit: REFUSALS_MAX, windowMs, now });
  const withRefusals = (userId: string, state: SlidingLogState): LimitState => ({
    ...state,
    refused: REFUSALS_MAX - refusals.peek(userId).remaining,
  });
  return {
    limit,
    windowMs,
    async take(userId) {
      const state = log.take(userId);
      if (!state.admitted) refusals.take(userId);
      return withRefusals(userId, state);
    },
    peek: async (userId) => withRefusals(userId, log.peek(userId)),
  };
}
