import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { readConfig, startServer, type StartOptions } from '@imgup/server';
import ipaddr from 'ipaddr.js';
import { describe, expect, onTestFinished, test } from 'vitest';
import { collectLog } from './collect-log.ts';
import { makePicture } from './pictures.ts';
import { bearer, openApp, PASSWORD, problemOf, temporaryFolder } from './test-app.ts';
import { eventually } from './eventually.ts';

const ID = /^[0-9a-f]{16}$/;

async function start(options: Partial<StartOptions> = {}) {
  const log = collectLog();
  const config = readConfig({ flags: { data: await temporaryFolder(), port: '0' }, env: {} });
  const server = await startServer({ ...config, passwordCost: 4, logger: log.logger, logLevel: 'debug', ...options });
  onTestFinished(() => server.close());
  const raw = async (...writes: string[]) => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    for (const write of writes) socket.write(write);
    return text(socket);
  };
  return { ...server, log, raw };
}

test('an answer, its problem and its lines in the log carry one id', async () => {
  const log = collectLog();
  const app = await openApp({ logger: log.logger, logLevel: 'debug' });
  const { access_token } = await app.register('ada');
  await rm(join(app.data, 'incoming'), { recursive: true });
  const ids = new Set<string>();
  for (const [status, answer] of [
    [200, await app.request('/api')],
    [200, await app.request('/openapi.json', { method: 'HEAD' })],
    [401, await app.request('/api/me')],
    [404, await app.request('/nowhere')],
    [405, await app.request('/api/me', { method: 'POST' })],
    [503, await app.upload(access_token, await makePicture())],
  ] as const) {
    const id = answer.headers.get('x-request-id') ?? '';
    expect({ status: answer.status, id }).toEqual({ status, id: expect.stringMatching(ID) });
    if (status >= 400) expect((await problemOf(answer)).instance).toBe(`urn:imgup:request:${id}`);
    const lines = log.lines().filter((line) => line.request_id === id);
    expect(lines).toContainEqual(expect.objectContaining({ msg: 'request', level: 'info', status }));
    expect(lines).toContainEqual(expect.objectContaining({ msg: 'request begins', level: 'debug' }));
    expect(lines.filter(({ level }) => level === 'error')).toHaveLength(status >= 500 ? 1 : 0);
    ids.add(id);
  }
  expect(ids.size).toBe(6);
});

test('requests at the same time keep their own ids, in the line of what has failed too', async () => {
  const log = collectLog();
  const app = await openApp({ logger: log.logger, uploadLimit: { uploads: 100, windowMs: 60_000 } });
  const { access_token } = await app.register('ada');
  await rm(join(app.data, 'incoming'), { recursive: true });
  const picture = await makePicture();
  const answers = await Promise.all(Array.from({ length: 20 }, () => app.upload(access_token, picture)));
  const ids = answers.map((answer) => answer.headers.get('x-request-id'));
  const failed = log.lines().filter(({ level }) => level === 'error');
  expect(failed.map(({ request_id }) => request_id).toSorted()).toEqual(ids.toSorted());
});

describe('an id that comes with the request', () => {
  const loopback = { trustedProxies: [[ipaddr.parse('127.0.0.1'), 32]] } satisfies Partial<StartOptions>;

  test.each(['0f7c7e3e-8d59-4d5f-a2f4-0c4f4dc4b1a7', 'Root=1-67891233-abcdef012345678912345678', 'c0ffee00'])(
    'is kept where a trusted proxy sends it: %s',
    async (id) => {
      const { url, log } = await start(loopback);
      const answer = await fetch(`${url}/nowhere`, { headers: { 'X-Request-Id': id } });
      expect(answer.headers.get('x-request-id')).toBe(id);
      expect((await problemOf(answer)).instance).toBe(`urn:imgup:request:${id}`);
      await eventually(() => {
        expect(log.lines()).toContainEqual(expect.objectContaining({ msg: 'request', request_id: id }));
      });
    },
  );

  test.each(['short', 'x'.repeat(129), 'with spaces in it', '<script>alert(1)</script>', 'ten%20percent'])(
    'is replaced where it is not sane: %s',
    async (id) => {
      const { url } = await start(loopback);
      const answer = await fetch(`${url}/healthz`, { headers: { 'X-Request-Id': id } });
      expect(answer.headers.get('x-request-id')).toMatch(ID);
    },
  );

  test('is replaced where anybody else sends it', async () => {
    const { url, log } = await start();
    const answer = await fetch(`${url}/healthz`, { headers: { 'X-Request-Id': 'of-somebody-else' } });
    expect(answer.headers.get('x-request-id')).toMatch(ID);
    expect(log.text()).not.toContain('of-somebody-else');
  });
});

describe('what never reaches the app is answered with an id, and logged', () => {
  test.each([
    ['rubbish', 'rubbish\r\n\r\n', 400],
    ['a malformed Host', 'GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n', 400],
    ['two Hosts', 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nhost: y\r\n\r\n', 400],
    ['100 KB of headers', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`, 431],
    ['headers that never end', 'GET / HTTP/1.1\r\nHost: x\r\n', 408],
    ['an Expect that is unknown', 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: foo\r\n\r\n', 417],
    ['CONNECT', 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n', 405],
  ])('%s', async (_what, bytes, status) => {
    const { log, raw } = await start({ timeouts: { headersTimeout: 200, connectionsCheckingInterval: 50 } });
    const answer = await raw(bytes);
    expect(answer).toContain(`HTTP/1.1 ${status} `);
    const id = /^x-request-id: (.*)\r$/im.exec(answer)?.[1] ?? '';
    expect(id).toMatch(ID);
    expect(answer).toContain(`"instance":"urn:imgup:request:${id}"`);
    const lines = log.lines().filter(({ request_id }) => request_id === id);
    expect(lines[0]).toMatchObject({ level: 'info', msg: 'request refused unheard', status });
  });
});

describe('the line of a request', () => {
  test('says what it was, what came of it, and whose it was, but neither path nor address', async () => {
    const { url, log } = await start();
    const init = { method: 'POST', headers: { 'Content-Type': 'application/json' } };
    const body = JSON.stringify({ username: 'ada', password: PASSWORD });
    const registered = await fetch(`${url}/api/register`, { ...init, body });
    const { access_token } = (await registered.json()) as { access_token: string };
    const picture = await makePicture();
    const headers = { ...bearer(access_token), 'Content-Type': 'image/png' };
    const uploaded = await fetch(`${url}/api/images`, { method: 'POST', headers, body: picture });
    const image = (await uploaded.json()) as { url: string; id: string };
    await (await fetch(`${image.url}?w=160`)).arrayBuffer();
    await eventually(() => {
      const [, upload, view] = log.lines().filter(({ msg }) => msg === 'request');
      expect(upload).toEqual({
        level: 'info',
        time: expect.stringMatching(/Z$/),
        method: 'POST',
        route: '/api/images',
        status: 201,
        ms: expect.any(Number),
        received: expect.any(Number),
        sent: expect.any(Number),
        user: 'ada',
        request_id: uploaded.headers.get('x-request-id'),
        msg: 'request',
      });
      expect(upload?.['received']).toBeGreaterThan(picture.length);
      expect(view).toMatchObject({ route: '/i/:owner/:file', status: 200 });
    });
    // Where a picture is can be told by who has its link alone; at "debug" whoever looks for a failure has to know.
    const lines = log.lines();
    const naming = lines.filter((line) => JSON.stringify(line).includes(image.id));
    expect(new Set(naming.map(({ level }) => level))).toEqual(new Set(['debug']));
    const addresses = lines.filter((line) => JSON.stringify(line).includes('127.0.0.1'));
    expect(new Set(addresses.map(({ level }) => level))).toEqual(new Set(['debug']));
  });

  test('names the address of who guesses passwords, and of nobody else', async () => {
    const { url, log } = await start({ loginLimit: { attempts: 2, windowMs: 60_000 } });
    const init = { method: 'POST', headers: { 'Content-Type': 'application/json' } };
    const body = JSON.stringify({ username: 'ada', password: 'is it this one?' });
    for (let count = 0; count < 3; count += 1) await fetch(`${url}/api/login`, { ...init, body });
    await fetch(`${url}/api/me`);
    await eventually(() => {
      const seen = log.lines().filter(({ msg }) => msg === 'request');
      expect(seen.map(({ problem, address }) => [problem, address])).toEqual([
        ['wrong_credentials', '127.0.0.1'],
        ['wrong_credentials', '127.0.0.1'],
        ['too_many_attempts', '127.0.0.1'],
        ['token_missing', undefined],
      ]);
    });
  });

  test('says where the client went away before it had its answer', async () => {
    const { url, log } = await start();
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.write('POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"username"');
    await eventually(() => {
      expect(log.lines()).toContainEqual(expect.objectContaining({ msg: 'request begins' }));
    });
    socket.destroy();
    await eventually(() => {
      const line = expect.objectContaining({ msg: 'request', problem: 'body_incomplete', cut: true });
      expect(log.lines()).toContainEqual(line);
    });
  });
});
