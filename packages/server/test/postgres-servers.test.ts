import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LoginResponse, TokensResponse } from '@imgup/shared';
import { createApp, readConfig, startServer, type RunningServer, type Settings } from '@imgup/server';
import pg from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openPostgres } from '../src/adapters/postgres/open-postgres.ts';
import { noMetrics } from '../src/ports/metrics.ts';
import { silentLogger } from '../src/logger.ts';
import { makePicture } from './pictures.ts';
import { administer, noPostgres, usePostgres } from './postgres.ts';
import { bearer, PASSWORD, refusal, temporaryFolder } from './test-app.ts';

const SECRET = randomBytes(32).toString('hex');

async function configOf(accounts: string, flags: Settings = {}) {
  const data = await temporaryFolder();
  // Many are sent from one address here.
  const all = { data, port: '0', accounts, 'login-limit': '1000/min', ...flags };
  return { ...readConfig({ flags: all, env: { IMGUP_SECRET: SECRET } }), passwordCost: 4 };
}

async function startServers(count: number, accounts: string, flags?: Settings): Promise<RunningServer[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const server = await startServer(await configOf(accounts, flags));
      onTestFinished(() => server.close());
      return server;
    }),
  );
}

const send = (server: RunningServer | undefined, method: string, path: string, body?: unknown, token?: string) =>
  fetch(`${server?.url ?? ''}${path}`, {
    method,
    headers: { ...(body !== undefined && { 'Content-Type': 'application/json' }), ...(token && bearer(token)) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });

async function register(server: RunningServer | undefined, username: string): Promise<LoginResponse> {
  const answer = await send(server, 'POST', '/api/register', { username, password: PASSWORD });
  if (answer.status !== 201) throw new Error(`registration failed: ${await answer.text()}`);
  return (await answer.json()) as LoginResponse;
}

const { newDatabase } = usePostgres();

describe.skipIf(noPostgres !== null)('three servers with one database', () => {
  test('may be closed twice, as one with a folder may', async () => {
    const app = await createApp(await configOf(await newDatabase()));
    await app.close();
    await expect(app.close()).resolves.toBeUndefined();
  });

  test('admit exactly 5 of 300 uploads that one user sends at once', async () => {
    const servers = await startServers(3, await newDatabase());
    const { access_token } = await register(servers[0], 'ada');
    const picture = await makePicture();
    const upload = (server: RunningServer | undefined) =>
      fetch(`${server?.url ?? ''}/api/images`, {
        method: 'POST',
        body: picture,
        headers: { 'Content-Type': 'image/png', ...bearer(access_token) },
      });
    const answers = await Promise.all(Array.from({ length: 300 }, (_, index) => upload(servers[index % 3])));
    const refused = answers.filter((answer) => answer.status === 429);
    expect([answers.filter((answer) => answer.ok).length, refused.length]).toEqual([5, 295]);
    for (const answer of refused) expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('give fifty refreshes at once one successor', async () => {
    const servers = await startServers(3, await newDatabase());
    const { refresh_token } = await register(servers[0], 'ada');
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        send(servers[index % 3], 'POST', '/api/token/refresh', { refresh_token }),
      ),
    );
    const tokens = await Promise.all(answers.map(async (answer) => (await answer.json()) as TokensResponse));
    expect(new Set(tokens.map((each) => each.refresh_token)).size).toBe(1);
    for (const [index, { access_token }] of tokens.entries()) {
      expect((await send(servers[(index + 1) % 3], 'GET', '/api/me', undefined, access_token)).status).toBe(200);
    }
  });

  test('refuse at once what was ended on another: a token, a session, a password, a user, a key', async () => {
    const [one, two, three] = await startServers(3, await newDatabase());
    await register(one, 'admin');
    const me = (server: RunningServer | undefined, token: string) => send(server, 'GET', '/api/me', undefined, token);
    const login = async (server: RunningServer | undefined, username: string) =>
      (await (await send(server, 'POST', '/api/login', { username, password: PASSWORD })).json()) as LoginResponse;
    const admin = await login(two, 'admin');
    await register(three, 'ada');
    const both = async (token: string) => [await refusal(await me(two, token)), await refusal(await me(three, token))];
    const revoked = ['401 token_revoked', '401 token_revoked'];

    const first = await login(one, 'ada');
    expect((await me(two, first.access_token)).status).toBe(200);
    await send(one, 'POST', '/api/logout/access', {}, first.access_token);
    expect(await both(first.access_token)).toEqual(revoked);

    const second = await login(one, 'ada');
    expect((await me(three, second.access_token)).status).toBe(200);
    await send(one, 'POST', '/api/logout/refresh', { refresh_token: second.refresh_token });
    expect(await both(second.access_token)).toEqual(revoked);

    const [here, there] = [await login(one, 'ada'), await login(two, 'ada')];
    const change = { current: PASSWORD, new: 'a better long secret' };
    expect((await send(one, 'POST', '/api/password', change, here.access_token)).status).toBe(204);
    expect(await both(there.access_token)).toEqual(revoked);
    expect((await me(three, here.access_token)).status).toBe(200);

    const made = await send(one, 'POST', '/api/keys', { name: 'a tool' }, here.access_token);
    const { id, key } = (await made.json()) as { id: string; key: string };
    expect(await refusal(await me(two, key))).toBe('403 key_only_uploads');
    await send(three, 'DELETE', `/api/keys/${id}`, undefined, here.access_token);
    expect(await refusal(await me(two, key))).toBe('401 token_invalid');

    expect((await send(one, 'DELETE', '/api/users/ada', undefined, admin.access_token)).status).toBe(204);
    expect(await both(here.access_token)).toEqual(revoked);
  });

  test('count the attempts to guess a password together', async () => {
    const servers = await startServers(3, await newDatabase(), { 'login-limit': '5/min' });
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        send(servers[index % 3], 'POST', '/api/login', { username: 'ada', password: 'not the secret' }),
      ),
    );
    const statuses = answers.map(({ status }) => status);
    expect([
      statuses.filter((status) => status === 401).length,
      statuses.filter((status) => status === 429).length,
    ]).toEqual([5, 25]);
  });

  test('never admit more than the limit in any window of the database’s clock, at its edges too', async () => {
    const url = await newDatabase();
    const windowMs = 200;
    const pools = await Promise.all(
      [1, 2, 3].map(async () => {
        const parts = await openPostgres({
          url,
          uploadLimit: { uploads: 5, windowMs },
          logger: silentLogger,
          metrics: noMetrics,
          now: undefined,
        });
        onTestFinished(() => parts.store.close());
        return parts.limiter;
      }),
    );
    // What is admitted is written down by the database itself.
    await administer(
      url,
      `CREATE TABLE admissions (at bigint);
      CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO admissions SELECT NEW.at FROM generate_series(1, NEW.admitted); RETURN NULL; END $$;
      CREATE TRIGGER note AFTER INSERT OR UPDATE ON sliding_logs FOR EACH ROW EXECUTE FUNCTION note()`,
    );
    let admitted = 0;
    await Promise.all(
      Array.from({ length: 24 }, async (_, index) => {
        while (admitted < 40) if ((await pools[index % 3]?.take('ada'))?.admitted) admitted += 1;
      }),
    );
    const rows = (await administer(url, 'SELECT at::float8 AS at FROM admissions ORDER BY at')) as { at: number }[];
    expect(rows.length).toBe(admitted);
    const gaps = rows.slice(5).map(({ at }, index) => at - (rows[index]?.at ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(windowMs);
  });

  test('read the clock for a slot when it is theirs to take, however long they have waited for another', async () => {
    const url = await newDatabase();
    const uploadLimit = { uploads: 5, windowMs: 60_000 };
    const { store, limiter } = await openPostgres({
      url,
      uploadLimit,
      logger: silentLogger,
      metrics: noMetrics,
      now: undefined,
    });
    onTestFinished(() => store.close());
    await limiter.take('ada');
    const holder = new pg.Client({ connectionString: url });
    await holder.connect();
    await holder.query('BEGIN');
    await holder.query('SELECT FROM sliding_logs FOR UPDATE');
    const taking = limiter.take('ada');
    const waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    while ((await administer(url, waiting)).length === 0);
    const { rows } = await holder.query<{ now: string }>('SELECT extract(epoch FROM clock_timestamp()) * 1000 AS now');
    await holder.query('COMMIT');
    await holder.end();
    expect(await taking).toMatchObject({ admitted: true, remaining: 3 });
    const [row] = (await administer(url, 'SELECT at::float8 AS at FROM sliding_logs')) as { at: number }[];
    expect(row?.at).toBeGreaterThanOrEqual(Math.floor(Number(rows[0]?.now)));
  });

  test('may be ten, and start at once on an empty database', async () => {
    const url = await newDatabase();
    const servers = await startServers(10, url);
    await register(servers[0], 'ada');
    const answers = await Promise.all(
      servers.map((server) => send(server, 'POST', '/api/login', { username: 'ada', password: PASSWORD })),
    );
    expect(answers.map(({ status }) => status)).toEqual(servers.map(() => 200));
    expect(await administer(url, 'SELECT count(*)::int AS done FROM imgup_migration')).toEqual([{ done: 1 }]);
  });
});

describe.skipIf(noPostgres !== null)('a server with a database', () => {
  test('is not started on what a newer imgup has changed', async () => {
    const url = await newDatabase();
    await (await createApp(await configOf(url))).close();
    await administer(url, "INSERT INTO imgup_migration VALUES ('0009-of-tomorrow', '')");
    await expect(createApp(await configOf(url))).rejects.toMatchObject({
      code: 'data_unreadable',
      message: expect.stringContaining('newer imgup (0009-of-tomorrow): use that version') as string,
    });
  });

  test('is not started without the secret that all share', async () => {
    const config = { ...(await configOf(await newDatabase())), secrets: null };
    await expect(createApp(config)).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining('IMGUP_SECRET') as string,
    });
  });

  test('is not started beside accounts that nobody has moved, until there are others', async () => {
    const url = await newDatabase();
    const config = await configOf(url);
    await writeFile(join(config.data, 'db.json'), '{}');
    await expect(createApp(config)).rejects.toMatchObject({ code: 'data_unreadable' });
    const [server] = await startServers(1, url);
    await register(server, 'ada');
    await (await createApp(config)).close();
  });

  test.each([
    ['a wrong password', { password: 'hunter2' }, 'password authentication failed'],
    ['an unknown database', { pathname: '/unknown' }, 'database "unknown" does not exist'],
    ['a server that speaks no TLS', { search: '?sslmode=require' }, 'does not support SSL'],
    ['a certificate that is not there', { search: '?sslrootcert=/nowhere.pem' }, '/nowhere.pem'],
    ['a malformed port', { search: '?port=x' }, 'Invalid port'],
  ])('is not started with %s, and shows none', async (_, change, reason) => {
    const url = Object.assign(new URL(await newDatabase()), change);
    const failure = createApp(await configOf(url.href));
    await expect(failure).rejects.toThrow(reason);
    await expect(failure).rejects.toMatchObject({ name: 'StartError' });
    await expect(failure).rejects.not.toThrow(/hunter2|:secret/);
  });

  test.each(['mysql://ada:hunter2@db/imgup', 'hunter2', 'postgres://'])('is not started with %s', (accounts) => {
    const read = () => readConfig({ flags: { accounts }, env: {} });
    expect(read).toThrow('--accounts must be a database such as postgres://user:password@host:5432/imgup, and is not.');
  });
});
