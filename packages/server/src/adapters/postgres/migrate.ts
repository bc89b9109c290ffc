import { Kysely, Migrator, PostgresDialect } from 'kysely';
import pg from 'pg';
import { StartError } from '../../errors.ts';
import { migrations } from './migrations.ts';

/** Milliseconds for all of it, with the wait for other servers that start at the same time. */
const TIMEOUT = 120_000;

/**
 * Brings the database's schema to what this program needs. Of several servers that start at once one does it, and the
 * others wait: kysely takes a lock of the database's. Each start is a transaction, done whole or not at all.
 *
 * @throws StartError `data_unreadable` where a newer imgup has been there
 */
export async function migrate(config: pg.ClientConfig): Promise<void> {
  const pool = new pg.Pool({ ...config, max: 1, connectionTimeoutMillis: TIMEOUT, query_timeout: TIMEOUT });
  pool.on('error', () => undefined);
  const db = new Kysely<Record<string, never>>({ dialect: new PostgresDialect({ pool }) });
  try {
    const migrator = new Migrator({
      db,
      provider: { getMigrations: () => Promise.resolve(migrations) },
      migrationTableName: 'imgup_migration',
      migrationLockTableName: 'imgup_migration_lock',
    });
    const { error } = await migrator.migrateToLatest();
    if (error === undefined) return;
    // Looked at afterwards: then it holds for what another server has done meanwhile, too.
    await refuseNewer(pool);
    throw error instanceof Error ? error : new Error('the database was not brought up to date', { cause: error });
  } finally {
    await db.destroy();
  }
}

async function refuseNewer(pool: pg.Pool): Promise<void> {
  const done = await pool.query<{ name: string }>('SELECT name FROM imgup_migration ORDER BY name').catch(() => null);
  const unknown = done?.rows.find(({ name }) => migrations[name] === undefined);
  if (unknown === undefined) return;
  const message = `The accounts' database was changed by a newer imgup (${unknown.name}): use that version or a later one. To go back, restore the database as it was before.`;
  throw new StartError('data_unreadable', message);
}
