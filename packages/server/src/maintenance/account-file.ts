import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FORMAT, parseDatabase, type Database } from '../adapters/lowdb/parse-database.ts';
import { writeDurably } from '../adapters/filesystem/write-durably.ts';
import type { AllAccounts } from '../ports/account-archive.ts';
import { ifThere } from './if-there.ts';
import { MaintenanceError } from './maintenance-error.ts';

/**
 * What db.json of a data folder holds; null where there is none.
 *
 * @throws MaintenanceError `data_damaged`, `data_newer`
 */
export async function readAccountFile(data: string): Promise<AllAccounts | null> {
  const path = join(data, 'db.json');
  const text = await ifThere(readFile(path, 'utf8'));
  if (text === null) {
    if ((await ifThere(readFile(`${path}.previous`))) === null) return null;
    throw damaged(data, 'is missing');
  }
  const parsed = parseDatabase(parseJson(text));
  if (parsed === null) throw damaged(data, 'is damaged');
  if ('newer' in parsed) {
    const message = `${path} has format ${parsed.newer}, and this imgup reads format ${FORMAT}: use a newer imgup.`;
    throw new MaintenanceError('data_newer', message);
  }
  const { users, sessions, keys, revoked, removals } = parsed.database;
  const isOfUser = ({ userId }: { userId: string }) => users[userId] !== undefined;
  // Field by field, and without what no server has ever made use of: a record of nobody, a text that is no UTF-8.
  return {
    users: byId(Object.values(users)).map(({ id, username, role, passwordHash, createdAt }) => ({
      id,
      username,
      role,
      passwordHash,
      createdAt,
    })),
    sessions: byId(Object.values(sessions).filter(isOfUser)).map(
      ({ id, userId, counter, seenAt, rotatedAt, createdAt, lastUsedAt, device }) => ({
        id,
        userId,
        counter,
        seenAt,
        rotatedAt,
        createdAt,
        lastUsedAt,
        device: device === null ? null : storable(device),
      }),
    ),
    keys: byId(Object.values(keys).filter(isOfUser)).map(({ id, userId, name, hash, createdAt, lastUsedAt }) => ({
      id,
      userId,
      name: storable(name),
      hash,
      createdAt,
      lastUsedAt,
    })),
    revoked: byId(Object.entries(revoked).map(([id, until]) => ({ id, until }))),
    removals: Object.keys(removals)
      .toSorted()
      .map((userId) => ({ userId, pictures: removals[userId] ?? 'keep' })),
  };
}

/** Writes db.json, whatever is there. */
export async function writeAccountFile(data: string, accounts: AllAccounts): Promise<void> {
  const { users, sessions, keys, revoked, removals } = accounts;
  const database: Database = {
    format: FORMAT,
    users: Object.fromEntries(users.map((user) => [user.id, user])),
    sessions: Object.fromEntries(sessions.map((session) => [session.id, session])),
    revoked: Object.fromEntries(revoked.map(({ id, until }) => [id, until])),
    removals: Object.fromEntries(removals.map(({ userId, pictures }) => [userId, pictures])),
    keys: Object.fromEntries(keys.map((key) => [key.id, key])),
  };
  await writeDurably(join(data, 'db.json'), JSON.stringify(database));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function byId<T extends { id: string }>(items: T[]): T[] {
  return items.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

/** As PostgreSQL can store it: in UTF-8, and without NUL. */
function storable(text: string): string {
  return Buffer.from(text).toString().replaceAll('\0', '\uFFFD');
}

function damaged(data: string, how: string): MaintenanceError {
  const message = `${join(data, 'db.json')} ${how}: see \`imgup admin check --data ${data}\`, and mend it with --repair.`;
  return new MaintenanceError('data_damaged', message);
}
