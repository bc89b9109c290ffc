import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { TransportError, transportFailure, type TransportRequest } from '../src/api/transport.ts';
import { CredentialStoreError } from '../src/credentials/credential-store-error.ts';
import { SERVICE } from '../src/credentials/credential-store.ts';
import { withLock } from '../src/credentials/lock.ts';
import { createMemoryStore } from '../src/credentials/memory.ts';
import { bodyOf, connectionCut, openWorld, PASSWORD, SERVER, type World } from './world.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function pass(world: World, ms: number): void {
  world.clock.server += ms;
  world.clock.local += ms;
}

const isRefresh = ({ url }: TransportRequest) => url.pathname === '/api/token/refresh';

describe('before a call', () => {
  test('a token with a minute left is used as it is', async () => {
    const world = await openWorld();
    await world.register();
    pass(world, 9 * MINUTE);
    expect(await world.imgup(['whoami'])).toMatchObject({ code: 0 });
    expect(world.asked()).toEqual(['GET /api/me']);
  });

  test('a token with less left is replaced, and the new one stored', async () => {
    const world = await openWorld();
    await world.register();
    const before = await world.record();
    pass(world, 9 * MINUTE + 1_000);
    expect(await world.imgup(['whoami'])).toMatchObject({ code: 0 });
    expect(world.asked()).toEqual(['POST /api/token/refresh', 'GET /api/me']);
    const after = await world.record();
    expect(after?.access_token).not.toBe(before?.access_token);
    expect(after?.access_expires).toBe(world.clock.server + 10 * MINUTE);
    await world.imgup(['whoami']);
    expect(world.asked()).toEqual(['GET /api/me']);
  });

  test.each([
    ['two hours behind', -2 * HOUR],
    ['two hours ahead', 2 * HOUR],
  ])('a clock that is %s neither refreshes each time nor misses the expiry', async (_what, off) => {
    const world = await openWorld();
    world.clock.local += off;
    await world.register();
    await world.imgup(['whoami']);
    expect(world.asked()).toEqual(['GET /api/me']);
    pass(world, 9 * MINUTE + 1_000);
    await world.imgup(['whoami']);
    await world.imgup(['whoami']);
    expect(world.asked()).toEqual(['POST /api/token/refresh', 'GET /api/me', 'GET /api/me']);
  });

  test.each([
    ['put forward', 2 * HOUR, ['POST /api/token/refresh', 'GET /api/me']],
    ['put back', -2 * HOUR, ['GET /api/me', 'POST /api/token/refresh', 'GET /api/me']],
  ])('a clock that is %s between two commands costs one refresh at the most', async (_what, by, asked) => {
    const world = await openWorld();
    await world.register();
    world.clock.local += by;
    // A token that has really expired is noticed either way: by the clock, or by the server.
    pass(world, 11 * MINUTE);
    expect(await world.imgup(['whoami'])).toMatchObject({ code: 0 });
    expect(world.asked()).toEqual(asked);
    await world.imgup(['whoami']);
    expect(world.asked()).toEqual(['GET /api/me']);
  });

  test('a lock that is stuck is stepped over', async () => {
    const world = await openWorld();
    await world.register();
    pass(world, 9 * MINUTE + 1_000);
    const locks = join(world.folder, 'config', 'imgup', 'locks');
    const names = (await readdir(locks)).filter((name) => name !== 'config.lock');
    expect(names).toHaveLength(1);
    await withLock(join(locks, names[0] ?? ''), { timeoutMs: 1_000 }, async () => {
      const start = performance.now();
      // Every look at the clock is nine seconds after the one before.
      let looks = 0;
      const clock = vi.spyOn(performance, 'now').mockImplementation(() => start + 9_000 * looks++);
      onTestFinished(() => clock.mockRestore());
      expect(await world.imgup(['whoami'])).toMatchObject({ code: 0 });
    });
    expect(world.asked()).toEqual(['POST /api/token/refresh', 'GET /api/me']);
  });

  test('a token that was read before the process was stopped for a while is read again before it is sent', async () => {
    const world = await openWorld();
    await world.register();
    pass(world, 9 * MINUTE + 1_000);
    const before = await world.record();
    const read = world.credentials.getPassword.bind(world.credentials);
    let reads = 0;
    let now = 0;
    let step = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += step));
    onTestFinished(() => clock.mockRestore());
    vi.spyOn(world.credentials, 'getPassword').mockImplementation(async (...of) => {
      const found = await read(...of);
      reads += 1;
      if (reads !== 2) return found;
      // Another process steps over this one, which goes on after that with what it has read.
      step = 9_000;
      await world.imgup(['whoami']);
      step = 0;
      return found;
    });
    expect(await world.imgup(['whoami'])).toMatchObject({ code: 0 });
    const sent = world.requests.filter(isRefresh).map(({ body }) => body);
    expect(sent).toEqual([JSON.stringify({ refresh_token: before?.refresh_token })]);
  });

  test('what another process has stored meanwhile is adopted', async () => {
    const world = await openWorld();
    await world.register();
    pass(world, 9 * MINUTE + 1_000);
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => world.imgup(['whoami'])));
    expect(outcomes.map(({ code }) => code)).toEqual(Array.from({ length: 10 }, () => 0));
    expect(world.requests.filter(isRefresh)).toHaveLength(1);
  });
});

describe('a token that the server refuses', () => {
  test('is replaced, and the call repeated once', async () => {
    const world = await openWorld();
    await world.register();
    world.clock.server += HOUR;
    expect(await world.imgup(['upload', await world.picture()])).toMatchObject({ code: 0 });
    const look = expect.stringContaining('GET /api/images/by-digest/') as string;
    expect(world.asked()).toEqual([look, 'POST /api/token/refresh', look, 'POST /api/images']);
  });

  test('is not replaced again and again', async () => {
    const world = await openWorld();
    await world.register();
    world.network.way = async (request, next) => {
      const refused = { ...request, headers: { ...request.headers, authorization: 'Bearer a.b.c' } };
      return next(isRefresh(request) ? request : refused);
    };
    const outcome = await world.imgup(['whoami']);
    expect(outcome).toMatchObject({ code: 4, stderr: expect.stringContaining('run `imgup login`') });
    expect(world.asked()).toEqual(['GET /api/me', 'POST /api/token/refresh', 'GET /api/me']);
  });

  test('gives way to a newer one in the store, without a refresh', async () => {
    const world = await openWorld();
    await world.register();
    const newer = await world.record();
    const account = `${SERVER}|ada`;
    await world.credentials.setPassword(SERVICE, account, JSON.stringify({ ...newer, access_token: 'a.b.c' }));
    world.network.way = async (request, next) => {
      if (request.headers['authorization'] === 'Bearer a.b.c') {
        await world.credentials.setPassword(SERVICE, account, JSON.stringify(newer));
      }
      return next(request);
    };
    expect(await world.imgup(['whoami'])).toMatchObject({ code: 0 });
    expect(world.asked()).toEqual(['GET /api/me', 'GET /api/me']);
  });
});

describe('a refresh that fails', () => {
  test.each([
    ['a network fault', 7, (request: TransportRequest) => Promise.reject(connectionCut(request))],
    ['a time-out', 7, ({ url }: TransportRequest) => Promise.reject(new TransportError('timeout', url.origin, 'late'))],
    ['503 of the server', 1, () => problem(503, 'server_busy')],
    ['502 of a proxy', 7, async () => ({ status: 502, headers: { 'content-type': 'text/html' }, body: bodyOf('<p>') })],
    ['429', 1, () => problem(429, 'refresh_limit_reached')],
    ['an answer that is none', 1, async () => ({ status: 200, headers: {}, body: bodyOf('{}') })],
  ])('for %s deletes nothing', async (_what, code, answer) => {
    const world = await openWorld();
    await world.register();
    const before = await world.record();
    pass(world, HOUR);
    world.network.way = (request, next) => (isRefresh(request) ? answer(request) : next(request));
    expect(await world.imgup(['whoami'])).toMatchObject({ code, stdout: '' });
    expect(await world.record()).toEqual(before);
    world.network.way = (request, next) => next(request);
    expect(await world.imgup(['whoami'])).toMatchObject({ code: 0 });
  });

  test('because nothing ever answers ends before others step over its lock', async () => {
    const world = await openWorld();
    await world.register();
    const before = await world.record();
    pass(world, HOUR);
    const limits: number[] = [];
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
      limits.push(ms);
      return AbortSignal.abort(new DOMException('late', 'TimeoutError'));
    });
    onTestFinished(() => timeout.mockRestore());
    // As a server that takes the request and says nothing: only the request's own signal ends this.
    world.network.way = async (request) => {
      expect(request.signal).toBeDefined();
      throw transportFailure(new Error('aborted'), request);
    };
    expect(await world.imgup(['whoami'])).toMatchObject({
      code: 7,
      stderr: expect.stringContaining('no answer in time'),
    });
    expect(limits).toHaveLength(1);
    expect(limits[0]).toBeLessThan(30_000);
    expect(await world.record()).toEqual(before);
  });

  test('because the session has ended deletes the record, and says how to go on', async () => {
    const world = await openWorld();
    await world.register();
    pass(world, 31 * 24 * HOUR);
    expect(await world.imgup(['whoami'])).toEqual({
      code: 4,
      stdout: '',
      stderr: `imgup: Your session at ${SERVER} has ended; run \`imgup login\`.\n`,
    });
    expect(await world.record()).toBeNull();
  });

  test('for a record that has been replaced meanwhile leaves the new one, and uses it', async () => {
    const world = await openWorld();
    await world.register();
    const ended = await world.record();
    await world.imgup(['login', '--username', 'ada', '--password-stdin'], { stdin: PASSWORD });
    const current = await world.record();
    const account = `${SERVER}|ada`;
    await world.credentials.setPassword(SERVICE, account, JSON.stringify({ ...ended, access_expires: 0 }));
    world.network.way = async (request, next) => {
      if (isRefresh(request)) await world.credentials.setPassword(SERVICE, account, JSON.stringify(current));
      return next(request);
    };
    expect(await world.imgup(['whoami'])).toMatchObject({ code: 0 });
    expect(await world.record()).toEqual(current);
  });

  test.each([
    ['with what it brought itself', 0],
    ['with a successor of that, long ago', HOUR],
  ])('and was stepped over %s does not put the older record back', async (_what, later) => {
    const world = await openWorld();
    await world.register();
    pass(world, HOUR);
    let newest: unknown;
    world.network.way = async (request, next) => {
      const answer = await next(request);
      if (!isRefresh(request)) return answer;
      // The process stands still here, and another goes on for it.
      world.network.way = (other, on) => on(other);
      await withoutLock(world);
      expect(await world.imgup(['whoami'])).toMatchObject({ code: 0 });
      pass(world, later);
      expect(await world.imgup(['whoami'])).toMatchObject({ code: 0 });
      newest = await world.record();
      return answer;
    };
    expect(await world.imgup(['whoami'])).toMatchObject({ code: 0 });
    expect(await world.record()).toEqual(newest);
    pass(world, HOUR);
    expect(await world.imgup(['whoami'])).toMatchObject({ code: 0 });
  });

  test('to be stored does not use the new token, so that the old one still works', async () => {
    const store = createMemoryStore();
    let full = false;
    const setPassword: typeof store.setPassword = (...args) =>
      full
        ? Promise.reject(new CredentialStoreError('write-refused', 'The keychain is full', 'empty it'))
        : store.setPassword(...args);
    const world = await openWorld({ credentials: { ...store, setPassword } });
    await world.register();
    pass(world, HOUR);
    full = true;
    expect(await world.imgup(['whoami'])).toMatchObject({
      code: 1,
      stderr: 'imgup: The keychain is full; empty it.\n',
    });
    expect(world.asked()).toEqual(['POST /api/token/refresh']);
    full = false;
    pass(world, HOUR);
    expect(await world.imgup(['whoami'])).toMatchObject({ code: 0 });
  });
});

describe('logging out while another process refreshes', () => {
  test('waits for the refresh, and leaves nothing behind', async () => {
    const world = await openWorld();
    await world.register();
    pass(world, HOUR);
    let loggingOut: ReturnType<World['imgup']> | undefined;
    let askedMeanwhile: string[] = [];
    world.network.way = async (request, next) => {
      if (!isRefresh(request)) return next(request);
      loggingOut = world.imgup(['logout']);
      await setTimeout(100);
      askedMeanwhile = world.asked();
      return next(request);
    };
    await world.imgup(['whoami']);
    expect(askedMeanwhile).toEqual(['POST /api/token/refresh']);
    expect(await loggingOut).toMatchObject({ code: 0 });
    expect(await world.record()).toBeNull();
  });

  test('does not bring the record back, even where the lock was stepped over', async () => {
    const world = await openWorld();
    await world.register();
    pass(world, HOUR);
    world.network.way = async (request, next) => {
      const answer = await next(request);
      if (isRefresh(request)) await world.credentials.deletePassword(SERVICE, `${SERVER}|ada`);
      return answer;
    };
    expect(await world.imgup(['whoami'])).toMatchObject({ code: 4 });
    expect(await world.record()).toBeNull();
  });
});

describe('IMGUP_TOKEN', () => {
  test('overrides what is stored, and is not stored', async () => {
    const world = await openWorld();
    await world.register('ada');
    const token = (await world.record('ada'))?.access_token;
    await world.imgup(['logout']);
    await world.register('bob');
    await world.imgup(['login', '--username', 'ada', '--password-stdin'], { stdin: PASSWORD });
    const adas = (await world.record('ada'))?.access_token;
    await world.imgup(['login', '--username', 'bob', '--password-stdin'], { stdin: PASSWORD });
    const { code, stdout } = await world.imgup(['whoami', '--json'], { env: { IMGUP_TOKEN: adas } });
    expect({ code, ...JSON.parse(stdout) }).toMatchObject({
      code: 0,
      username: 'ada',
      credential_store: 'environment',
    });
    const stored = await world.credentials.findCredentials(SERVICE);
    expect(stored.map(({ account }) => account).toSorted()).toEqual([`${SERVER}|ada`, `${SERVER}|bob`]);
    expect(token).toBeDefined();
  });

  test('is named where the server refuses it, and the stored log-in stays', async () => {
    const world = await openWorld();
    await world.register();
    const outcome = await world.imgup(['whoami'], { env: { IMGUP_TOKEN: 'a.b.c' } });
    expect(outcome).toMatchObject({ code: 4, stderr: expect.stringContaining('IMGUP_TOKEN (it is not valid)') });
    expect(world.asked()).toEqual(['GET /api/me']);
    expect(await world.record()).not.toBeNull();
  });

  test('that no header could carry is wrong usage, and not repeated', async () => {
    const world = await openWorld();
    const outcome = await world.imgup(['whoami'], { env: { IMGUP_TOKEN: 'a b\nc' } });
    expect(outcome).toMatchObject({ code: 2, stderr: expect.not.stringContaining('a b') });
  });
});

/** From now on the lock that is held keeps nobody out, as after the time that anybody waits for it. */
async function withoutLock({ folder }: World): Promise<void> {
  await rename(join(folder, 'config', 'imgup', 'locks'), join(folder, 'old-locks'));
}

async function problem(status: number, code: string) {
  const body = JSON.stringify({ type: 'urn:x', title: 'x', status, detail: 'Later.', code });
  return { status, headers: { 'content-type': 'application/problem+json' }, body: bodyOf(body) };
}
