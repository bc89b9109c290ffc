import type { LoginResponse } from '@imgup/shared';
import { readConfig, startServer, type Settings } from '@imgup/server';
import { describe, expect, onTestFinished, test } from 'vitest';
import { makePicture } from './pictures.ts';
import { bearer, openApp, PASSWORD, problemOf, temporaryFolder } from './test-app.ts';

async function start(flags: Settings, clock = { now: Date.parse('2026-01-01T12:00:00Z') }) {
  const config = readConfig({ flags: { data: await temporaryFolder(), port: '0', ...flags }, env: {} });
  const server = await startServer({ ...config, passwordCost: 4, now: () => clock.now });
  onTestFinished(() => server.close());
  const post = (path: string, body: unknown, from?: string, token?: string) =>
    fetch(server.url + path, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        ...(from !== undefined && { 'X-Forwarded-For': from }),
        ...(token !== undefined && bearer(token)),
      },
      body: JSON.stringify(body),
    });
  const login = async (username: string, from?: string, password = 'not the secret') =>
    (await post('/api/login', { username, password }, from)).status;
  return { clock, post, login };
}

const BEHIND_PROXY = { 'trust-proxy': '127.0.0.0/8', 'login-limit': '3/min' };

async function times<T>(count: number, work: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let index = 0; index < count; index += 1) results.push(await work(index));
  return results;
}

describe('guessing a password', () => {
  test('is limited for an account from an address, and allowed again exactly when the server says', async () => {
    const { post, login, clock } = await start({ 'login-limit': '3/min' });
    expect(await times(5, () => login('ada'))).toEqual([401, 401, 401, 429, 429]);
    clock.now += 20_000;
    const answer = await post('/api/login', { username: 'ADA', password: 'x' });
    expect(answer.headers.get('retry-after')).toBe('40');
    expect((await problemOf(answer)).code).toBe('too_many_attempts');
    clock.now += 40_000;
    expect(await login('ada')).toBe(401);
  });

  test('by a stranger does not lock the user out elsewhere', async () => {
    const { post, login } = await start(BEHIND_PROXY);
    await post('/api/register', { username: 'ada', password: PASSWORD }, '198.51.100.1');
    await times(30, () => login('ada', '203.0.113.9'));
    expect(await login('ada', '203.0.113.9', PASSWORD)).toBe(429);
    expect(await login('ada', '198.51.100.1', PASSWORD)).toBe(200);
  });

  test('of many accounts is limited for their address', async () => {
    const { login } = await start(BEHIND_PROXY);
    const statuses = await times(20, (index) => login(`user${index}`, '203.0.113.9'));
    expect(statuses.filter((status) => status === 401)).toHaveLength(18);
    expect(await login('user0', '203.0.113.10')).toBe(401);
  });

  test('from all of an IPv6 /64 counts as from one address', async () => {
    const { login } = await start(BEHIND_PROXY);
    const statuses = await times(6, (index) => login('ada', `2001:db8:1:2:${index}::${index}`));
    expect(statuses).toEqual([401, 401, 401, 429, 429, 429]);
    expect(await login('ada', '2001:db8:1:3::1')).toBe(401);
  });

  test('with a stolen access token is limited as at the log-in', async () => {
    const { post, clock } = await start(BEHIND_PROXY);
    const answer = await post('/api/register', { username: 'ada', password: PASSWORD }, '198.51.100.1');
    const { access_token } = (await answer.json()) as LoginResponse;
    const change = async (current: string) =>
      (await post('/api/password', { current, new: 'a better long secret' }, '203.0.113.9', access_token)).status;
    expect(await times(5, () => change('not the secret'))).toEqual([403, 403, 403, 429, 429]);
    expect(await change(PASSWORD)).toBe(429);
    clock.now += 60_000;
    expect(await change(PASSWORD)).toBe(204);
  });

  test('is limited for registrations and refreshes too', async () => {
    const { post } = await start({ 'login-limit': '1/min' });
    const names = await times(8, async (index) => {
      const answer = await post('/api/register', { username: `user${index}`, password: PASSWORD });
      return answer.status;
    });
    expect(names).toEqual([201, 201, 201, 201, 201, 201, 429, 429]);
    const refreshes = await times(62, async () => (await post('/api/token/refresh', { refresh_token: 'x' })).status);
    // Of one session 12, of one address 60.
    expect(refreshes.filter((status) => status === 400)).toHaveLength(12);
    const others = await times(60, async (index) => {
      const refresh_token = `${index}`.padEnd(71, 'x');
      return (await post('/api/token/refresh', { refresh_token })).status;
    });
    expect(others.filter((status) => status === 400)).toHaveLength(48);
  });
});

describe('X-Forwarded-For', () => {
  test('counts for nothing from whom no proxy is trusted', async () => {
    const { login } = await start({ 'login-limit': '3/min' });
    expect(await times(4, (index) => login('ada', `203.0.113.${index}`))).toEqual([401, 401, 401, 429]);
  });

  test('is read from the right, as far as proxies are trusted: what the client wrote itself counts for nothing', async () => {
    const { login } = await start({ ...BEHIND_PROXY, 'trust-proxy': '127.0.0.1, 10.0.0.0/8' });
    const forged = (index: number) => `192.0.2.${index}, 203.0.113.9, 10.1.2.3`;
    expect(await times(4, (index) => login('ada', forged(index)))).toEqual([401, 401, 401, 429]);
    expect(await login('ada', '203.0.113.9')).toBe(429);
    expect(await login('ada', '203.0.113.8, 10.1.2.3')).toBe(401);
  });

  test('may come with ports and brackets, and a network of mapped IPv4 addresses is one of IPv4', async () => {
    const { login } = await start({ ...BEHIND_PROXY, 'trust-proxy': '::ffff:127.0.0.0/104, ::ffff:10.9.9.9' });
    for (const at of [(port: number) => `203.0.113.9:${port}, 10.9.9.9`, (port: number) => `[2001:db8::9]:${port}`]) {
      expect(await times(4, (index) => login('ada', at(40_000 + index)))).toEqual([401, 401, 401, 429]);
    }
    expect(await login('ada', '203.0.113.9')).toBe(429);
    expect(await login('ada', '203.0.113.8:1')).toBe(401);
  });

  test.each(['nonsense', '', 'nonsense, 127.0.0.1', '203.0.113.9, nonsense'])(
    'that is %j leaves the proxy as the client',
    async (header) => {
      const { login } = await start(BEHIND_PROXY);
      const statuses = await times(4, () => login('ada', header));
      expect(statuses).toEqual([401, 401, 401, 429]);
    },
  );
});

test('of fifty log-ins at once, an upload and a look at the server’s health wait for none', async () => {
  const app = await openApp({ passwordCost: 10 });
  const { access_token } = await app.register('ada');
  let answered = 0;
  const logins = Array.from({ length: 50 }, () =>
    app.post('/api/login', { username: 'ada', password: 'wrong one' }).finally(() => {
      answered += 1;
    }),
  );
  expect((await app.request('/healthz')).status).toBe(200);
  expect(answered).toBe(0);
  expect((await app.upload(access_token, await makePicture())).status).toBe(201);
  // Behind them in a queue, it would be the last to be answered.
  expect(answered).toBeLessThan(40);
  await Promise.all(logins);
}, 120_000);

test('more log-ins than can be hashed in time are told to come back, and nothing else waits for them', async () => {
  const app = await openApp({ passwordCost: 9 });
  await app.register('ada');
  const logins = Array.from({ length: 400 }, () => app.post('/api/login', { username: 'ada', password: 'wrong one' }));
  expect((await app.request('/healthz')).status).toBe(200);
  const answers = await Promise.all(logins);
  const statuses = new Set(answers.map((answer) => answer.status));
  expect([...statuses].toSorted()).toEqual([401, 503]);
  const busy = answers.find((answer) => answer.status === 503);
  expect(busy?.headers.get('retry-after')).toMatch(/^\d+$/);
}, 120_000);
