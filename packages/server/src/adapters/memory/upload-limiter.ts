import { REFUSALS_MAX, type LimitState, type UploadLimiter } from '../../ports/upload-limiter.ts';
import type { SlotState } from '../../ports/sliding-log.ts';
import { createMemorySlidingLog } from './sliding-log.ts';

interface MemoryUploadLimiterOptions {
  limit: number;
  windowMs: number;
  now: () => number;
}

/** The upload limit of one process: a sliding log with the user's id as its key. */
export function createMemoryUploadLimiter({ limit, windowMs, now }: MemoryUploadLimiterOptions): UploadLimiter {
  const log = createMemorySlidingLog({ limit, windowMs, now });
  const refusals = createMemorySlidingLog({ limit: REFUSALS_MAX, windowMs, now });
  const withRefusals = async (userId: string, state: SlotState): Promise<LimitState> => {
    const { remaining } = await refusals.peek(userId);
    return { ...state, refused: REFUSALS_MAX - remaining };
  };
  return {
    limit,
    windowMs,
    async take(userId) {
      const state = await log.take(userId);
      if (!state.admitted) await refusals.take(userId);
      return withRefusals(userId, state);
    },
    peek: async (userId) => withRefusals(userId, await log.peek(userId)),
  };
}
