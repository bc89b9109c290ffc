import type { LimitState, UploadLimiter } from '../../ports/upload-limiter.ts';

interface MemoryUploadLimiterOptions {
  limit: number;
  windowMs: number;
  now: () => number;
}

/**
 * A sliding log: the times of each user's last admitted uploads, at most `limit` of them.
 *
 * A fixed window would admit twice the limit around its edge; the log never admits more than `limit` in any window.
 * An admission at time t holds its slot during [t, t + windowMs), so a request exactly `nextSlotIn` later is admitted.
 * `take` looks and writes without an `await` between, so concurrent requests cannot share a slot.
 */
export function createMemoryUploadLimiter({ limit, windowMs, now }: MemoryUploadLimiterOptions): UploadLimiter {
  const logs = new Map<string, number[]>();
  let sweepAt = now() + windowMs;

  function current(userId: string, at: number): number[] {
    if (at >= sweepAt) {
      sweepAt = at + windowMs;
      for (const [id, log] of logs) if ((log.at(-1) ?? 0) + windowMs <= at) logs.delete(id);
    }
    // Clocks go back at times: an admission "in the future" must not hold its slot for longer than a window.
    const log = (logs.get(userId) ?? []).map((time) => Math.min(time, at)).filter((time) => time + windowMs > at);
    logs.set(userId, log);
    return log;
  }

  function state(log: number[], admitted: boolean, at: number): LimitState {
    const oldest = log[0];
    return {
      admitted,
      remaining: limit - log.length,
      nextSlotIn: oldest === undefined ? 0 : oldest + windowMs - at,
    };
  }

  return {
    limit,
    windowMs,

    take(userId) {
      const at = now();
      const log = current(userId, at);
      const admitted = log.length < limit;
      if (admitted) log.push(at);
      return Promise.resolve(state(log, admitted, at));
    },

    peek(userId) {
      const at = now();
      const log = current(userId, at);
      return Promise.resolve(state(log, log.length < limit, at));
    },
  };
}
