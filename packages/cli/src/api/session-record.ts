import type { TokensResponse } from '@imgup/shared';
import * as v from 'valibot';

const schema = v.object({
  user: v.string(),
  access_token: v.string(),
  access_expires: v.number(),
  refresh_token: v.string(),
  refresh_expires: v.number(),
  clock_offset: v.number(),
});

/**
 * What a credential store keeps for one log-in. Times are in milliseconds of the *server's* clock, and `clock_offset` is what
 * to add to this machine's clock to have it: a clock that is hours off neither refreshes each time nor misses the expiry.
 */
export type SessionRecord = v.InferOutput<typeof schema>;

/**
 * @param serverTime the answer's `Date` in milliseconds, or null where it had none
 * @param now this machine's clock in milliseconds, when the answer came
 */
export function newRecord(
  user: string,
  tokens: TokensResponse,
  { serverTime, now }: { serverTime: number | null; now: number },
): SessionRecord {
  const received = serverTime ?? now;
  return {
    user,
    access_token: tokens.access_token,
    access_expires: received + tokens.expires_in * 1_000,
    refresh_token: tokens.refresh_token,
    refresh_expires: received + tokens.refresh_expires_in * 1_000,
    clock_offset: received - now,
  };
}

/** How long the access token is still good for, in milliseconds. */
export function accessTokenLeft(record: SessionRecord, now: number): number {
  return record.access_expires - (now + record.clock_offset);
}

export function encodeRecord(record: SessionRecord): string {
  return JSON.stringify(record);
}

/** The record, or null for what imgup has not written: the person then logs in again. */
export function decodeRecord(text: string | null): SessionRecord | null {
  if (text === null) return null;
  try {
    return v.parse(schema, JSON.parse(text));
  } catch {
    return null;
  }
}
