/** What a sliding log says of one key. */
export interface SlotState {
  admitted: boolean;
  /** How many would be admitted now. */
  remaining: number;
  /** Milliseconds until one more would be admitted than now; 0 where none is held. */
  nextSlotIn: number;
}

export interface SlidingLogOptions {
  limit: number;
  windowMs: number;
}

/**
 * At most `limit` admissions a key in any `windowMs`, exactly, however many ask at once. An admission at time t holds
 * its slot during [t, t + windowMs), so one exactly `nextSlotIn` later is admitted.
 */
export interface SlidingLog {
  /** Takes a slot if there is one. A refusal takes none. */
  take(key: string): Promise<SlotState>;

  /** Looks without taking; `admitted` says whether `take` would be. Sees whatever was asked for before it here. */
  peek(key: string): Promise<SlotState>;
}

/** Opens the log of this name, whose keys are its own. Servers that share a database share it too. */
export type OpenSlidingLog = (name: string, options: SlidingLogOptions) => SlidingLog;
