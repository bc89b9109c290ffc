import { USERNAME_MAX } from '@imgup/shared';
import { createSlidingLog, type SlidingLog, type SlidingLogState } from '../adapters/memory/sliding-log.ts';
import { AppError } from '../errors.ts';

interface AttemptLimitsOptions {
  /** Attempts to log in to one account from one address in any `windowMs`. The other limits are multiples of it. */
  attempts: number;
  windowMs: number;
  now: () => number;
}

/** An address stands for a household or an office, so it may try several accounts. */
const ACCOUNTS_PER_ADDRESS = 6;

/** Programs refresh by themselves, and fifty may start at once; nothing can be guessed in a refresh token. */
const REFRESHES_PER_ATTEMPT = 60;

/** Of these, how many of one session. */
const REFRESHES_PER_SESSION = 12;

/** The part of a refresh token that is the same in all of its session, in characters of base64url. */
const SESSION_PART = 22;

export type AttemptLimits = ReturnType<typeof createAttemptLimits>;

/**
 * Slows down guessing: by address, and by account and address together. Never by account alone, because a stranger
 * could then lock a user out.
 */
export function createAttemptLimits({ attempts, windowMs, now }: AttemptLimitsOptions) {
  const byAddress = createSlidingLog({ limit: attempts * ACCOUNTS_PER_ADDRESS, windowMs, now });
  const byAccount = createSlidingLog({ limit: attempts, windowMs, now });
  const refreshes = createSlidingLog({ limit: attempts * REFRESHES_PER_ATTEMPT, windowMs, now });
  const bySession = createSlidingLog({ limit: attempts * REFRESHES_PER_SESSION, windowMs, now });

  function check({ admitted, nextSlotIn }: SlidingLogState): void {
    if (admitted) return;
    const seconds = Math.ceil(nextSlotIn / 1000);
    throw new AppError('too_many_attempts', `Too many attempts. Try again in ${seconds} seconds.`, {
      headers: { 'Retry-After': `${seconds}` },
    });
  }

  /** What one of the limits refuses takes no slot of the other. */
  function take(wide: SlidingLog, narrow: SlidingLog, address: string, what: string): void {
    const key = `${address} ${what}`;
    check(narrow.peek(key));
    check(wide.take(address));
    narrow.take(key);
  }

  return {
    /**
     * Counts an attempt with a password, or to register a name.
     *
     * @param address who sends it, as `clientAddress` has it; null: not known, and not limited
     * @param account the name that is tried; need not exist
     * @throws AppError `too_many_attempts`
     */
    password(address: string | null, account: string): void {
      if (address !== null) take(byAddress, byAccount, address, account.slice(0, USERNAME_MAX + 1).toLowerCase());
    },

    /** Counts a refresh. @throws AppError `too_many_attempts` */
    refresh(address: string | null, token: string): void {
      if (address !== null) take(refreshes, bySession, address, token.slice(0, SESSION_PART));
    },
  };
}
