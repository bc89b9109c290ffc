import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { startPostgres, whyNoPostgres } from './postgres-server.js';

/** A server that runs already, named from outside: CI has the tests run with another version so. */
const given = process.env['IMGUP_TEST_POSTGRES'];

/** Null where there is a PostgreSQL to test with; otherwise why there is none, which has been said. */
export const noPostgres: string | null = given ? null : await whyNoPostgres();
if (noPostgres !== null) console.log(`${noPostgres}: the tests that need it are left out.`);

export interface TestPostgres {
  /** The URL of a new, empty database, removed when the test ends. */
  newDatabase(): Promise<string>;
}

/** One PostgreSQL for all tests of a file. */
export function usePostgres(): TestPostgres {
  let server: Awaited<ReturnType<typeof startPostgres>> | undefined;
  beforeAll(async () => {
    if (noPostgres === null && !given) server = await startPostgres();
  }, 60_000);
  afterAll(() => server?.stop());

  return {
    async newDatabase() {
      const url = given ?? server?.url ?? '';
      const name = `imgup_test_${randomBytes(6).toString('hex')}`;
      await administer(url, `CREATE DATABASE ${name}`);
      onTestFinished(async () => {
        await administer(url, `DROP DATABASE ${name} WITH (FORCE)`);
      });
      const own = new URL(url);
      own.pathname = `/${name}`;
      return own.href;
    },
  };
}

/** Sends one statement to a database. */
export async function administer(url: string, statement: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end();
  }
}
