import { randomBytes } from 'node:crypto';
import type { LoginResponse } from '@imgup/shared';
import { createApp, readConfig, startServer, type RunningServer } from '@imgup/server';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { openPostgres } from '../src/adapters/postgres/open-postgres.ts';
import { noMetrics } from '../src/ports/metrics.ts';
import { silentLogger } from '../src/logger.ts';
import { administer } from './postgres.ts';
import { startPostgres, whyNoPostgres } from './postgres-server.js';
import { bearer, openApp, PASSWORD, problemOf, refusal, temporaryFolder } from './test-app.ts';

type Server = Awaited<ReturnType<typeof startPostgres>>;

// Only Linux lists the processes that are to be ended or held with their parent.
const why = process.platform === 'linux' ? await whyNoPostgres() : 'PostgreSQL is killed on Linux alone';
if (why !== null) console.log(`${why}: the tests of a database that fails are left out.`);

const SECRET = randomBytes(32);

describe.skipIf(why !== null)('a database', () => {
  let postgres: Server | undefined;
  beforeAll(async () => {
    if (why === null) postgres = await startPostgres();
  }, 60_000);
  afterAll(() => postgres?.stop());

  const running = (): Server => {
    if (postgres === undefined) throw new Error('PostgreSQL was not started');
    return postgres;
  };

  async function serve(): Promise<RunningServer> {
    const flags = { data: await temporaryFolder(), port: '0', accounts: running().url, 'login-limit': '10000/min' };
    const config = { ...readConfig({ flags, env: {} }), secrets: [SECRET] as [Buffer], passwordCost: 4 };
    const server = await startServer(config);
    onTestFinished(() => server.close());
    return server;
  }

  const post = (server: RunningServer, path: string, body: unknown, token?: string) =>
    fetch(server.url + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...(token !== undefined && bearer(token)) },
      body: JSON.stringify(body),
    });
  const statusOf = async (server: RunningServer, path: string) => (await fetch(server.url + path)).status;

  async function untilReady(server: RunningServer): Promise<void> {
    while ((await statusOf(server, '/readyz')) !== 200) await new Promise((resolve) => setTimeout(resolve, 100));
  }

  test('killed under load and started again has lost nothing that was acknowledged, and is used again by itself', async () => {
    const servers = [await serve(), await serve()];
    const acknowledged: { username: string; refresh_token: string }[] = [];
    const statuses = new Set<number>();
    let stop = false;
    const load = Array.from({ length: 8 }, async (_, worker) => {
      for (let count = 0; !stop; count += 1) {
        const server = servers[(worker + count) % servers.length];
        const username = `user-${worker}-${count}`;
        if (server === undefined) throw new Error('no server');
        const answer = await post(server, '/api/register', { username, password: PASSWORD });
        statuses.add(answer.status);
        if (answer.status !== 201) {
          expect(await problemOf(answer)).toMatchObject({ code: 'storage_unavailable' });
          expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
          continue;
        }
        const first = (await answer.json()) as LoginResponse;
        const rotated = await post(server, '/api/token/refresh', { refresh_token: first.refresh_token });
        statuses.add(rotated.status);
        const { refresh_token } = rotated.ok ? ((await rotated.json()) as LoginResponse) : first;
        acknowledged.push({ username, refresh_token });
      }
    });
    const [one, two] = servers;
    if (one === undefined || two === undefined) throw new Error('no server');
    while (acknowledged.length < 30) await new Promise((resolve) => setTimeout(resolve, 10));
    await running().signal('SIGKILL');
    expect(await statusOf(one, '/readyz')).toBe(503);
    expect(await statusOf(one, '/healthz')).toBe(200);
    await running().start();
    const before = acknowledged.length;
    await Promise.all([untilReady(one), untilReady(two)]);
    while (acknowledged.length < before + 30) await new Promise((resolve) => setTimeout(resolve, 10));
    stop = true;
    await Promise.all(load);
    expect([...statuses].toSorted()).toEqual([200, 201, 503]);
    for (const [index, { username, refresh_token }] of acknowledged.entries()) {
      const server = index % 2 === 0 ? one : two;
      expect((await post(server, '/api/token/refresh', { refresh_token })).status, username).toBe(200);
      const again = await post(server, '/api/register', { username, password: PASSWORD });
      expect(await refusal(again)).toBe('409 username_taken');
    }
  }, 60_000);

  test('that hangs is answered 503 for, while the server’s own health is told at once', async () => {
    const server = await serve();
    const { access_token } = (await (
      await post(server, '/api/register', { username: 'hanging', password: PASSWORD })
    ).json()) as LoginResponse;
    const me = () => fetch(`${server.url}/api/me`, { headers: bearer(access_token) });
    expect((await me()).status).toBe(200);
    await running().signal('SIGSTOP');
    try {
      let answered = 0;
      const hanging = Array.from({ length: 40 }, () =>
        me().finally(() => {
          answered += 1;
        }),
      );
      expect(await statusOf(server, '/healthz')).toBe(200);
      expect(answered).toBe(0);
      const answers = await Promise.all(hanging);
      expect(await Promise.all(answers.map(refusal))).toEqual(answers.map(() => '503 storage_unavailable'));
      expect(await statusOf(server, '/readyz')).toBe(503);
    } finally {
      await running().signal('SIGCONT');
    }
    await untilReady(server);
    expect((await me()).status).toBe(200);
  }, 60_000);

  test('that is read-only makes a server unready, and is used again by itself', async () => {
    const server = await serve();
    const control = new URL(running().url);
    control.searchParams.set('options', '-c default_transaction_read_only=off');
    const set = async (statement: string) => {
      await administer(control.href, statement);
      await administer(
        control.href,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'imgup'",
      );
    };
    await set('ALTER ROLE imgup SET default_transaction_read_only = on');
    try {
      // The first may meet a connection that has just been ended.
      await statusOf(server, '/readyz');
      expect(await statusOf(server, '/readyz')).toBe(503);
      const answer = await post(server, '/api/register', { username: 'read-only', password: PASSWORD });
      expect(await refusal(answer)).toBe('503 storage_unavailable');
    } finally {
      await set('ALTER ROLE imgup RESET default_transaction_read_only');
    }
    await untilReady(server);
  }, 60_000);

  test('that is away for good is not waited for for ever at the start, and the folder is free again', async () => {
    const data = await temporaryFolder();
    const url = new URL(running().url);
    url.port = '1';
    const uploadLimit = { uploads: 5, windowMs: 60_000 };
    const opening = openPostgres({
      url: url.href,
      uploadLimit,
      logger: silentLogger,
      metrics: noMetrics,
      now: undefined,
      startPatience: 0,
    });
    await expect(opening).rejects.toMatchObject({ code: 'accounts_unavailable' });
    await expect(opening).rejects.toThrow(`(127.0.0.1:1, database postgres) cannot be used: connect ECONNREFUSED`);
    const refused = createApp({ data, accounts: `${running().url}-unknown`, secrets: [SECRET] });
    await expect(refused).rejects.toMatchObject({ code: 'accounts_unavailable' });
    await openApp({ data });
  });

  test('that comes while the server starts is waited for', async () => {
    await running().signal('SIGKILL');
    const starting = serve();
    await running().start();
    expect(await statusOf(await starting, '/readyz')).toBe(200);
  });
});
