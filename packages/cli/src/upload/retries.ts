import { TransportError } from '../api/transport.ts';
import { ApiError, CliError, EXIT } from '../errors.ts';

interface RetryOptions {
  signal: AbortSignal;
  wait: (ms: number, signal: AbortSignal) => Promise<void>;
  onRetry: (error: unknown, seconds: number) => void;
}

export interface Retries {
  withRetries<T>(work: () => Promise<T>): Promise<T>;
  /** To be called for whatever the server has answered as hoped. */
  succeeded(): void;
}

const RETRIES = 6;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;

/** Of one piece of work, however well the others fare. */
const MOST_FAILURES = 30;

/**
 * Makes what does work again where the network failed or the server did: after twice as long each time, give or take a
 * half, so that a crowd that failed together does not come back together. Errors of it: the last one.
 *
 * A connection that lets half of everything through is worth trying for longer, so failures of the network count only
 * since something has last succeeded. While nothing has succeeded at all, nobody may be there, and the person should
 * know at once.
 */
export function createRetries({ signal, wait, onRetry }: RetryOptions): Retries {
  let successes = 0;

  async function withRetries<T>(work: () => Promise<T>): Promise<T> {
    let since = successes;
    let failures = 0;
    for (let all = 1; ; all += 1) {
      try {
        return await work();
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (isOfNetwork(error) && successes > since) failures = 0;
        since = successes;
        failures += 1;
        const mayPass = successes > 0 ? isPassing(error) : isBroken(error);
        if (!mayPass || failures > RETRIES || all > MOST_FAILURES) throw error;
        const backoff = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (all - 1)) * (0.5 + Math.random());
        const told = error instanceof ApiError && error.retryAfter !== null ? error.retryAfter * 1000 : 0;
        const delay = Math.round(Math.max(backoff, told));
        onRetry(error, delay / 1000);
        await wait(delay, signal);
      }
    }
  }

  return {
    withRetries,
    succeeded() {
      successes += 1;
    },
  };
}

function isOfNetwork(error: unknown): boolean {
  return error instanceof TransportError;
}

/** Whether it may well go better in a moment. */
function isPassing(error: unknown): boolean {
  if (error instanceof TransportError) return error.code !== 'certificate';
  if (error instanceof ApiError) return PASSING.has(error.code);
  // A proxy in front of the server, while that starts again.
  return error instanceof CliError && error.exitCode === EXIT.unreachable;
}

/** Somebody was there, and the connection broke. */
function isBroken(error: unknown): boolean {
  return error instanceof TransportError ? error.code === 'cut' || error.code === 'timeout' : isPassing(error);
}

const PASSING = new Set([
  'internal_error',
  'server_busy',
  'storage_unavailable',
  'request_timeout',
  'body_incomplete',
  'too_many_attempts',
]);
