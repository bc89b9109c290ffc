import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createExpiryCalendar } from '../adapters/filesystem/expiry-calendar.ts';
import { parseRecord } from './parse-record.ts';

/** Writes the calendar of pictures that expire anew from their records: a backup has none. */
export async function noteExpiries(data: string): Promise<void> {
  const calendar = createExpiryCalendar(join(data, 'expiring'));
  for (const owner of await readdir(join(data, 'images'))) {
    const home = join(data, 'images', owner);
    for (const name of (await readdir(home)).filter((each) => each.endsWith('.json'))) {
      const id = name.slice(0, -'.json'.length);
      const record = parseRecord(await readFile(join(home, name), 'utf8'), { owner, id });
      if (record !== null && record.expiresAt !== null) await calendar.add(owner, id, record.expiresAt);
    }
  }
}
