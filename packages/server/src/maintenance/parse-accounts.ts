import * as v from 'valibot';
import { FORMAT, type Database } from '../adapters/lowdb/account-store.ts';
import { ID } from './data-files.ts';
import { MaintenanceError } from './maintenance-error.ts';

/** What a check and a backup need of db.json. */
export type Accounts = Pick<Database, 'users' | 'removals'>;

const time = v.pipe(v.number(), v.finite());
const id = v.pipe(v.string(), v.regex(ID));

const schema = v.looseObject({
  format: v.literal(FORMAT),
  users: v.record(
    v.string(),
    v.looseObject({
      id,
      username: v.string(),
      role: v.picklist(['admin', 'user']),
      passwordHash: v.string(),
      createdAt: time,
    }),
  ),
  sessions: v.record(v.string(), v.looseObject({ id: v.string(), userId: id, counter: v.number(), createdAt: time })),
  revoked: v.record(v.string(), time),
  removals: v.optional(v.record(v.string(), v.picklist(['remove', 'keep'])), {}),
});

/** The content of db.json; null where that is damaged. Throws `MaintenanceError` (`data_newer`) where a newer imgup wrote it. */
export function parseAccounts(text: string): Accounts | null {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return null;
  }
  const format = v.safeParse(v.looseObject({ format: v.number() }), json);
  if (format.success && format.output.format > FORMAT) {
    const message = `db.json has format ${format.output.format}, and this imgup reads format ${FORMAT}: use a newer imgup.`;
    throw new MaintenanceError('data_newer', message);
  }
  const parsed = v.safeParse(schema, json);
  if (!parsed.success) return null;
  const { users, removals } = parsed.output;
  return Object.entries(users).every(([key, user]) => key === user.id) ? { users, removals } : null;
}

/** Whose pictures are to be there: those of the users, and those that were kept when their user was removed. */
export function ownersOf({ users, removals }: Accounts): Set<string> {
  const kept = Object.keys(removals).filter((userId) => removals[userId] === 'keep');
  return new Set([...Object.keys(users), ...kept]);
}
