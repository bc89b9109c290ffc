import type { UploadAnswer } from '../api/client.ts';
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

/**
 * For one upload after the other. What other processes of the same user send counts too: whoever asks first when a slot
 * gets free has it, and the others wait for the next.
 *
 * Errors of the pace: what `send` throws; `CliError` (limit) where it must not wait; the signal's reason.
 */
export function createPace({ patient, now, wait, onWait }: PaceOptions): Pace {
  let blockedUntil = 0;
  let refusal: CliError | null = null;

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
        // Not earlier than it says: to be refused would only cost the server and the others.
        if (patient && answer.left?.uploads === 0) blockedUntil = now() + answer.left.nextIn * 1000;
        return answer;
      } catch (error) {
        const failure = error instanceof ApiError ? explain(error) : null;
        if (!(error instanceof ApiError) || failure?.exitCode !== EXIT.limit) throw error;
        if (!patient) throw (refusal = failure);
        blockedUntil = now() + (error.retryAfter ?? DEFAULT_WAIT_S) * 1000;
      }
    }
  };
}
