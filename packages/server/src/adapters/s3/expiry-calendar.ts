import pLimit from 'p-limit';
import type { Objects } from './objects.ts';

const VISITS_AT_ONCE = 8;

const ENTRY = /^expiring\/(\d{4}-\d\d-\d\dT\d\d)\/([0-9a-z]{1,40})\.([0-9a-z]{1,40})$/;

/** Which pictures expire in which hour: `expiring/2026-01-01T12/<owner>.<id>`. An entry without its picture is harmless. */
export function createExpiryCalendar(objects: Objects) {
  return {
    /** Call before the picture itself is stored. @param expiresAt RFC 3339, UTC */
    async add(owner: string, id: string, expiresAt: string): Promise<void> {
      await objects.write(`expiring/${hourOf(expiresAt)}/${owner}.${id}`, '');
    },

    /** Calls `visit` for every entry whose hour has begun; true from it takes the entry out. */
    async sweep(now: number, visit: (owner: string, id: string) => Promise<boolean>): Promise<void> {
      const last = hourOf(new Date(now).toISOString());
      const visits: Promise<void>[] = [];
      const limit = pLimit(VISITS_AT_ONCE);
      for await (const { key } of objects.list('expiring/')) {
        const [, hour, owner, id] = ENTRY.exec(key) ?? [];
        // Not put there by a server.
        if (hour === undefined || owner === undefined || id === undefined) continue;
        // They come in the order of the hours.
        if (hour > last) break;
        const visitOne = async () => {
          if (await visit(owner, id)) await objects.remove([key]);
        };
        visits.push(limit(visitOne));
      }
      await Promise.all(visits);
    },
  };
}

function hourOf(time: string): string {
  return time.slice(0, '2026-01-01T12'.length);
}
