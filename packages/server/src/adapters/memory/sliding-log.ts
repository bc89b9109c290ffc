/** What a sliding log says of one key. */
export interface SlidingLogState {
  admitted: boolean;
  /** How many would be admitted now. */
  remaining: number;
  /** Milliseconds until one more would be admitted than now; 0 where none is held. */
  nextSlotIn: number;
}

interface SlidingLogOptions {
  limit: number;
  windowMs: number;
  now: () => number;
}

export type SlidingLog = ReturnType<typeof createSlidingLog>;

/**
 * The times of each key's last admissions, at most `limit` of them: never more than `limit` in any window of
 * `windowMs`. A fixed window would admit twice as many around its edge.
 *
 * An admission at time t holds its slot during [t, t + windowMs), so one exactly `nextSlotIn` later is admitted.
 * `take` looks and writes without an `await` between, so that requests at the same time cannot share a slot.
 */
export function createSlidingLog({ limit, windowMs, now }: SlidingLogOptions) {
  const logs = new Map<string, number[]>();
  let sweepAt = now() + windowMs;

  function current(key: string, at: number): number[] {
    if (at >= sweepAt) {
      sweepAt = at + windowMs;
      for (const [other, log] of logs) if ((log.at(-1) ?? 0) + windowMs <= at) logs.delete(other);
    }
    // Clocks go back at times: an admission "in the future" must not hold its slot for longer than a window.
    return (logs.get(key) ?? []).map((time) => Math.min(time, at)).filter((time) => time + windowMs > at);
  }

  function state(log: number[], admitted: boolean, at: number): SlidingLogState {
    const oldest = log[0];
    return { admitted, remaining: limit - log.length, nextSlotIn: oldest === undefined ? 0 : oldest + windowMs - at };
  }

  return {
    /** Takes a slot if there is one. A refusal takes none. */
    take(key: string): SlidingLogState {
      const at = now();
      const log = current(key, at);
      const admitted = log.length < limit;
      if (admitted) log.push(at);
      logs.set(key, log);
      return state(log, admitted, at);
    },

    /** Looks without taking; `admitted` says whether `take` would be. */
    peek(key: string): SlidingLogState {
      const at = now();
      const log = current(key, at);
      return state(log, log.length < limit, at);
    },
  };
}
