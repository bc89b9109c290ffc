import { mkdir, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder } from './sync-folder.ts';

const HOUR = /^\d{4}-\d\d-\d\dT\d\d$/;
const ENTRY = /^([0-9a-z]{1,40})\.([0-9a-z]{1,40})$/;

/**
 * Which pictures expire when, so that a sweep looks only at those whose hour has come: a folder an hour
 * (`2026-01-01T12`), in it an empty file a picture (`<owner>.<id>`). An entry without its picture is harmless.
 */
export function createExpiryCalendar(folder: string) {
  return {
    /** Call before the picture itself is stored. @param expiresAt RFC 3339, UTC */
    async add(owner: string, id: string, expiresAt: string): Promise<void> {
      const hour = join(folder, hourOf(expiresAt));
      await mkdir(hour, { recursive: true, mode: 0o700 });
      await writeFile(join(hour, `${owner}.${id}`), '', { mode: 0o600 });
      await syncFolder(hour);
      await syncFolder(folder);
      await syncFolder(dirname(folder));
    },

    /**
     * Calls `visit` for every entry whose hour has begun; true from it takes the entry out.
     *
     * @param signal ends it after the entry that it is at
     */
    async sweep(
      now: number,
      signal: AbortSignal,
      visit: (owner: string, id: string) => Promise<boolean>,
    ): Promise<void> {
      const hours = (await readdir(folder).catch(() => [])).filter((name) => HOUR.test(name));
      for (const hour of hours.filter((name) => name <= hourOf(new Date(now).toISOString()))) {
        for (const entry of await readdir(join(folder, hour))) {
          const [, owner, id] = ENTRY.exec(entry) ?? [];
          if (signal.aborted) return;
          // Not put there by a server.
          if (owner === undefined || id === undefined) continue;
          if (await visit(owner, id)) await rm(join(folder, hour, entry), { force: true });
        }
        // Fails where entries are left, which is as it should be.
        await rmdir(join(folder, hour)).catch(() => undefined);
      }
    },
  };
}

function hourOf(time: string): string {
  return time.slice(0, '2026-01-01T12'.length);
}
