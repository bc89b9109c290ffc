import { FORMAT, parseDatabase, type Database } from '../adapters/lowdb/parse-database.ts';
import { MaintenanceError } from './maintenance-error.ts';

/** What a check and a backup need of db.json. */
export type Accounts = Pick<Database, 'users' | 'removals'>;

/** The content of db.json; null where that is damaged. Throws `MaintenanceError` (`data_newer`) where a newer imgup wrote it. */
export function parseAccounts(text: string): Accounts | null {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return null;
  }
  const parsed = parseDatabase(json);
  if (parsed !== null && 'newer' in parsed) {
    const message = `db.json has format ${parsed.newer}, and this imgup reads format ${FORMAT}: use a newer imgup.`;
    throw new MaintenanceError('data_newer', message);
  }
  return parsed === null ? null : parsed.database;
}

/** Whose pictures are to be there: those of the users, and those that were kept when their user was removed. */
export function ownersOf({ users, removals }: Accounts): Set<string> {
  const kept = Object.keys(removals).filter((userId) => removals[userId] === 'keep');
  return new Set([...Object.keys(users), ...kept]);
}
