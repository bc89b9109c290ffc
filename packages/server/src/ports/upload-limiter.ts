import type { SlotState } from './sliding-log.ts';

/** The state of one user's limit after a look at it. */
export interface LimitState extends SlotState {
  /** Refusals in the last window, up to `REFUSALS_MAX`. Those that a client has not met itself were another's, who waits. */
  refused: number;
}

/** More refusals than this are not counted. */
export const REFUSALS_MAX = 100;

/** At most `limit` uploads a user in any `windowMs`, exactly, however many ask at once. */
export interface UploadLimiter {
  readonly limit: number;
  readonly windowMs: number;

  /** Takes a slot if there is one. A refusal takes none. */
  take(userId: string): Promise<LimitState>;

  /** Looks without taking. `admitted` says whether `take` would have been. Sees whatever was asked for before it here. */
  peek(userId: string): Promise<LimitState>;
}
