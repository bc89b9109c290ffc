import type { UploadAnswer } from '../api/client.ts';
import type { LimitState } from '../api/limit-headers.ts';
import { ApiError, EXIT, explain, type CliError } from '../errors.ts';

/** Sends an upload no earlier than the server's upload limit allows, as its answers have told it. */
export type Pace = (send: () => Promise<UploadAnswer>, signal: AbortSignal) => Promise<UploadAnswer>;

interface PaceOptions {
  /** Waits where the limit is reached; otherwise that is an error. */
  patient: boolean;
  /** Milliseconds since 1970. */
  now: () => number;
  wait: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Called each second of a wait with the seconds that are left, and with null when it is over. */
  onWait: (seconds: number | null) => void;
}

/** Where the server does not say how long to wait. */
const DEFAULT_WAIT_S = 10;

/** The pause after each upload that lets other processes have the next slot: at most, in milliseconds. */
const TURN_MAX_MS = 1_000;

/**
 * For one upload after the other, as fast as the limit allows while nobody else uses it. Where others of the same user
 * wait too, it pauses after each upload: whoever asks first when a slot gets free has it, and one that took all of them at
 * once would leave the others none.
 *
 * Errors of the pace: what `send` throws; `CliError` (limit) where it must not wait; the signal's reason.
 */
export function createPace({ patient, now, wait, onWait }: PaceOptions): Pace {
  let blockedUntil = 0;
  let refusal: CliError | null = null;
  const others = createOthers(now);

  async function untilFree(signal: AbortSignal): Promise<void> {
    if (blockedUntil === 0) return;
    try {
      // Counted down rather than read off: a clock that is set back must not lengthen it.
      for (let left = blockedUntil - now(); left > 0; left = Math.min(left, blockedUntil - now())) {
        onWait(Math.ceil(left / 1000));
        const step = left % 1000 || 1000;
        await wait(step, signal);
        left -= step;
      }
      blockedUntil = 0;
    } finally {
      onWait(null);
    }
  }

  return async (send, signal) => {
    for (;;) {
      if (refusal !== null) throw refusal;
      await untilFree(signal);
      try {
        const answer = await send();
        if (patient && answer.limit !== null) {
          others.hear(answer.limit);
          // Not earlier than it says: to be refused would only cost the server and the others.
          if (answer.limit.uploads === 0) blockedUntil = now() + answer.limit.nextIn * 1000;
          else if (others.wait()) blockedUntil = now() + turn(answer.limit);
        }
        return answer;
      } catch (error) {
        const failure = error instanceof ApiError ? explain(error) : null;
        if (!(error instanceof ApiError) || failure?.exitCode !== EXIT.limit) throw error;
        if (!patient) throw (refusal = failure);
        others.refused();
        blockedUntil = now() + (error.retryAfter ?? DEFAULT_WAIT_S) * 1000;
      }
    }
  };
}

/** Whether other processes of the same user wait for the limit, as the refusals tell that were not this one's. */
function createOthers(now: () => number) {
  let refusals: number[] = [];
  let until = 0;
  return {
    refused: () => void refusals.push(now()),
    hear({ windowSeconds, refused }: LimitState): void {
      const windowMs = windowSeconds * 1000;
      refusals = refusals.filter((time) => time > now() - windowMs);
      if (refused > refusals.length) until = now() + windowMs;
    },
    wait: () => now() < until,
  };
}

/** Short beside the time that a slot takes to get free, so that none is left unused for long. */
function turn({ windowSeconds, quota }: LimitState): number {
  return Math.min(TURN_MAX_MS, (windowSeconds * 1000) / quota / 2);
}
