import ms, { type StringValue } from 'ms';

/** A time with a unit ("90s", "7d"), in milliseconds; null for any other text. */
export function parseTime(text: string): number | null {
  if (!/^\d+(\.\d+)? ?[a-z]+$/i.test(text)) return null;
  const time = ms(text as StringValue) as number | undefined;
  return time === undefined || !Number.isFinite(time) ? null : time;
}
