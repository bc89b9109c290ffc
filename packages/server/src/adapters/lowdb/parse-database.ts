import * as v from 'valibot';
import type { Session, UploadKey, User } from '../../ports/account-store.ts';

/** The layout of db.json. A change that an older program would misread raises the number. */
export const FORMAT = 1;

export interface Database {
  format: number;
  users: Record<string, User>;
  sessions: Record<string, Session>;
  /** Access token id -> when the revocation may be forgotten. */
  revoked: Record<string, number>;
  /** Ids of removed users: their pictures have yet to be removed, or are kept for good. */
  removals: Record<string, 'remove' | 'keep'>;
  keys: Record<string, UploadKey>;
}

const time = v.pipe(v.number(), v.finite());
const id = v.pipe(v.string(), v.regex(/^[\w-]{1,40}$/));

const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

const database = v.looseObject({
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
  keys: v.optional(
    v.record(
      v.string(),
      v.looseObject({ id, userId: id, name: v.string(), hash, createdAt: time, lastUsedAt: v.nullable(time) }),
    ),
    {},
  ),
});

const anyFormat = v.looseObject({ format: v.number() });

/** What db.json holds: `newer` is the format of one that a newer imgup wrote; null where it is damaged. */
export function parseDatabase(json: unknown): { database: Database } | { newer: number } | null {
  if (v.is(anyFormat, json) && json.format > FORMAT) return { newer: json.format };
  return isDatabase(json) ? { database: { ...json, removals: json.removals ?? {}, keys: json.keys ?? {} } } : null;
}

/** Looks at what an older program has written too, so no further than what everything rests on. */
function isDatabase(json: unknown): json is Omit<Database, 'removals' | 'keys'> & Partial<Database> {
  return v.is(database, json) && Object.entries(json.users).every(([key, user]) => key === user.id);
}
