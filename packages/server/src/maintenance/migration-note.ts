import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { syncFolder } from '../adapters/filesystem/sync-folder.ts';
import { writeDurably } from '../adapters/filesystem/write-durably.ts';
import type { ServerConfig } from '../config.ts';
import { StartError } from '../errors.ts';
import { ifThere } from './if-there.ts';

/** Lies in a data folder that something was moved out of, or is being moved into. */
const MIGRATION_NOTE = 'migration.json';

const schema = v.variant('state', [
  /** Null: still here. Otherwise where it is now. */
  v.strictObject({ state: v.literal('moved'), accounts: v.nullable(v.string()), images: v.nullable(v.string()) }),
  v.strictObject({ state: v.literal('arriving') }),
]);

export type MigrationNote = v.InferOutput<typeof schema>;

/** Null where there is none. @throws StartError `data_unreadable` where it is damaged */
export async function readMigrationNote(data: string): Promise<MigrationNote | null> {
  const path = join(data, MIGRATION_NOTE);
  const text = await ifThere(readFile(path, 'utf8'));
  if (text === null) return null;
  try {
    return v.parse(schema, JSON.parse(text));
  } catch (error) {
    const message = `${path} cannot be read, which imgup admin migrate has written: remove it if the data in ${data} is to be used.`;
    throw new StartError('data_unreadable', message, { cause: error });
  }
}

export async function writeMigrationNote(data: string, note: MigrationNote): Promise<void> {
  await writeDurably(join(data, MIGRATION_NOTE), `${JSON.stringify(note)}\n`);
}

export async function removeMigrationNote(data: string): Promise<void> {
  await rm(join(data, MIGRATION_NOTE), { force: true });
  await syncFolder(data);
}

/**
 * Keeps a server from starting on data that has been moved elsewhere, where it goes on changing, and on half of data.
 *
 * @throws StartError `data_moved`, which says how to start all the same
 */
export async function refuseMovedData(config: Pick<ServerConfig, 'data' | 'accounts' | 'images'>): Promise<void> {
  const { data } = config;
  const note = await readMigrationNote(data);
  if (note === null) return;
  if (note.state === 'arriving') {
    const message = `imgup admin migrate has not finished in ${data}: run it again, or use another folder with --data.`;
    throw new StartError('data_moved', message);
  }
  const moved = [
    ...(note.accounts !== null && config.accounts === null ? [`the accounts to ${note.accounts} (--accounts)`] : []),
    ...(note.images !== null && config.images === null ? [`the pictures to ${note.images} (--images)`] : []),
  ];
  if (moved.length === 0) return;
  const message = `imgup admin migrate has moved ${moved.join(' and ')}, and what is left in ${data} is as old as that: start with what is in brackets, or remove ${join(data, MIGRATION_NOTE)} to use the old data.`;
  throw new StartError('data_moved', message);
}
