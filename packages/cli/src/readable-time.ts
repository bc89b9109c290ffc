/** A timestamp of the API as people read it, to the minute and in UTC: "2026-01-31 12:00". */
export function readableTime(timestamp: string): string {
  return new Date(timestamp).toISOString().slice(0, 16).replace('T', ' ');
}
