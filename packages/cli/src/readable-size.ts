/** "812 B", "1.4 MB": decimal units, as disks and connections are measured. */
export function readableSize(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  const power = Math.min(UNITS.length, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${UNITS[power - 1]}`;
}

const UNITS = ['KB', 'MB', 'GB', 'TB'];
