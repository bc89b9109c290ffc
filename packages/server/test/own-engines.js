import { randomUUID } from 'node:crypto';

/**
 * A database and a place on the S3 store for whoever asks, on the engines that `npm run test:scale` has started.
 *
 * @returns {Promise<{ accounts: string, images: string, remove: () => Promise<void> } | null>} null: it has started none
 */
export async function makeOwnEngines() {
  const { IMGUP_TEST_ACCOUNTS: accounts, IMGUP_TEST_IMAGES: images } = process.env;
  if (!accounts || !images) return null;
  const id = randomUUID();
  const name = `imgup_${id.replaceAll('-', '')}`;
  await administer(accounts, `CREATE DATABASE ${name}`);
  const database = new URL(accounts);
  database.pathname = `/${name}`;
  const place = new URL(images);
  place.pathname = `/${id}`;
  return {
    accounts: database.href,
    images: place.href,
    remove: () => administer(accounts, `DROP DATABASE ${name} WITH (FORCE)`),
  };
}

/** @param {string} url @param {string} statement */
async function administer(url, statement) {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
