const UNITS = [
  ['y', 365 * 24 * 3_600],
  ['d', 24 * 3_600],
  ['h', 3_600],
  ['min', 60],
] as const;

/** How long ago, in its largest unit: "now", "5 min", "3 d". @param ms milliseconds; below 0 where clocks differ */
export function readableAge(ms: number): string {
  const seconds = ms / 1000;
  for (const [unit, length] of UNITS) {
    if (seconds >= length) return `${Math.floor(seconds / length)} ${unit}`;
  }
  return 'now';
}
