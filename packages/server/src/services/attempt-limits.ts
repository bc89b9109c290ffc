import { USERNAME_MAX } from '@imgup/shared';
import { AppError } from '../errors.ts';
import type { OpenSlidingLog, SlidingLog, SlotState } from '../ports/sliding-log.ts';

interface AttemptLimitsOptions {
  /** Attempts to log in to one account from one address in any `windowMs`. The other limits are multiples of it. */
  attempts: number;
  windowMs: number;
  openLog: OpenSlidingLog;
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
export function createAttemptLimits({ attempts, windowMs, openLog }: AttemptLimitsOptions) {
  const byAddress = openLog('password', { limit: attempts * ACCOUNTS_PER_ADDRESS, windowMs });
  const byAccount = openLog('password-account', { limit: attempts, windowMs });
  const refreshes = openLog('refresh', { limit: attempts * REFRESHES_PER_ATTEMPT, windowMs });
  const bySession = openLog('refresh-session', { limit: attempts * REFRESHES_PER_SESSION, windowMs });

  function check({ admitted, nextSlotIn }: SlotState): void {
    if (admitted) return;
    const seconds = Math.ceil(nextSlotIn / 1000);
    throw new AppError('too_many_attempts', `Too many attempts. Try again in ${seconds} seconds.`, {
      headers: { 'Retry-After': `${seconds}` },
    });
  }

  /** What one of the limits refuses takes no slot of the other, unless others are sent at the same time. */
  async function take(wide: SlidingLog, narrow: SlidingLog, address: string, what: string): Promise<void> {
    const key = `${address} ${what}`;
    check(await narrow.peek(key));
    check(await wide.take(address));
    check(await narrow.take(key));
  }

  return {
    /**
     * Counts an attempt with a password, or to register a name.
     *
     * @param address who sends it, as `clientAddress` has it; null: not known, and not limited
     * @param account the name that is tried; need not exist
     * @throws AppError `too_many_attempts`
     */
    async password(address: string | null, account: string): Promise<void> {
      if (address !== null) await take(byAddress, byAccount, address, account.slice(0, USERNAME_MAX + 1).toLowerCase());
    },

    /** Counts a refresh. @throws AppError `too_many_attempts` */
    async refresh(address: string | null, token: string): Promise<void> {
      if (address !== null) await take(refreshes, bySession, address, token.slice(0, SESSION_PART));
    },
  };
}
