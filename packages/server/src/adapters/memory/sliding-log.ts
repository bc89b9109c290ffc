import type { SlidingLog, SlidingLogOptions, SlotState } from '../../ports/sliding-log.ts';

interface MemorySlidingLogOptions extends SlidingLogOptions {
  now: () => number;
}

/**
 * The times of each key's last admissions, at most `limit` of them: never more than `limit` in any window of
 * `windowMs`. A fixed window would admit twice as many around its edge.
 *
 * `take` looks and writes without an `await` between, so that requests at the same time cannot share a slot.
 */
export function createMemorySlidingLog({ limit, windowMs, now }: MemorySlidingLogOptions): SlidingLog {
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

  function state(log: number[], admitted: boolean, at: number): SlotState {
    const oldest = log[0];
    return { admitted, remaining: limit - log.length, nextSlotIn: oldest === undefined ? 0 : oldest + windowMs - at };
  }

  return {
    async take(key) {
      const at = now();
      const log = current(key, at);
      const admitted = log.length < limit;
      if (admitted) log.push(at);
      logs.set(key, log);
      return state(log, admitted, at);
    },

    async peek(key) {
      const at = now();
      const log = current(key, at);
      return state(log, log.length < limit, at);
    },
  };
}
