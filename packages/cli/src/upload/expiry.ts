import { EXPIRY_MAX_MS, EXPIRY_MIN_MS } from '@imgup/shared';
import type { UploadWishes } from '../api/client.ts';
import { usageError } from '../errors.ts';
import { printable } from '../printable.ts';

/**
 * Checked here, because a sentence about an option says more than one about a header. Errors: `CliError` (usage).
 *
 * @param text a number and a unit, such as `7d`; "never" and undefined: for good
 * @param source what the person wrote it in, such as "--expires"
 */
export function parseExpiry(text: string | undefined, source: string): UploadWishes['expires'] {
  if (text === undefined || text === 'never') return null;
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)([mhdw])$/.exec(text) ?? [];
  const ms = Number(number) * (UNITS.get(unit) ?? Number.NaN);
  if (ms >= EXPIRY_MIN_MS && ms <= EXPIRY_MAX_MS) return { text, ms };
  throw usageError(
    `${source} is "${printable(text)}"; give a time from 10m to 365d, such as 30m, 12h, 7d or 4w, or "never".`,
  );
}

const MINUTE = 60_000;
const UNITS = new Map([
  ['m', MINUTE],
  ['h', 60 * MINUTE],
  ['d', 24 * 60 * MINUTE],
  ['w', 7 * 24 * 60 * MINUTE],
]);
