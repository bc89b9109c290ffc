import { once } from 'node:events';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { LoginResponse } from '@imgup/shared';
import { readConfig, startServer, type StartOptions } from '@imgup/server';
import { tryLock } from 'fs-native-extensions';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { failLookingAt, failOpening } from './failing-disk.ts';
import { makePicture, makePngOfSize } from './pictures.ts';
import { filesOf, PASSWORD, temporaryFolder } from './test-app.ts';
import { eventually } from './eventually.ts';

async function start(options: Partial<StartOptions> = {}) {
  const data = options.data ?? (await temporaryFolder());
  const config = readConfig({ flags: { data, port: '0' }, env: {} });
  const server = await startServer({ ...config, passwordCost: 4, ...options });
  onTestFinished(() => server.close());
  const { port } = new URL(server.url);
  return { ...server, data, port: Number(port) };
}

async function register(url: string): Promise<LoginResponse> {
  const answer = await fetch(`${url}/api/register`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ username: 'ada', password: PASSWORD }),
  });
  return (await answer.json()) as LoginResponse;
}

/** Sends what is given, and resolves to all that the server answers until it closes the connection. */
async function raw(port: number, ...writes: string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  for (const write of writes) socket.write(write);
  return text(socket);
}

describe('a client that waits for "100 Continue"', () => {
  async function post(url: string, headers: Record<string, string | number>, body: Buffer) {
    const sent = request(`${url}/api/images`, {
      method: 'POST',
      headers: { ...headers, 'Content-Length': body.length, Expect: '100-continue' },
    });
    let continued = false;
    sent.on('continue', () => {
      continued = true;
      sent.end(body);
    });
    sent.flushHeaders();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    answer.resume();
    if (!continued) sent.destroy();
    return { status: answer.statusCode, continued };
  }

  test('is told to go on only when its body is wanted', async () => {
    const { url } = await start({ maxBytes: 100_000 });
    const token = (await register(url)).access_token;
    const picture = await makePicture();
    const authorization = { Authorization: `Bearer ${token}` };
    expect(await post(url, {}, picture)).toEqual({ status: 401, continued: false });
    expect(await post(url, authorization, Buffer.alloc(200_000))).toEqual({ status: 413, continued: false });
    for (const status of [201, 200, 200, 200, 200]) {
      expect(await post(url, authorization, picture)).toEqual({ status, continued: true });
    }
    expect(await post(url, authorization, picture)).toEqual({ status: 429, continued: false });
  });

  test('of a JSON route is told to go on too', async () => {
    const { port } = await start();
    const body = JSON.stringify({ username: 'ada', password: PASSWORD });
    const head = `POST /api/register HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`;
    const answer = await raw(port, head, body);
    expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 Created/);
  });
});

test('a client that goes away half-way leaves nothing behind', async () => {
  const { url, port, data } = await start();
  const { access_token } = await register(url);
  const picture = await makePngOfSize(400_000);
  const types = ['image/png', 'multipart/form-data; boundary=b'];
  for (const type of types) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(
      `POST /api/images HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${access_token}\r\nContent-Type: ${type}\r\nContent-Length: 900000\r\n\r\n`,
    );
    if (type !== types[0]) {
      socket.write('--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n');
    }
    socket.write(picture.subarray(0, 300_000));
    await eventually(async () => {
      expect(await filesOf(data)).toHaveLength(1);
    });
    socket.destroy();
    await eventually(async () => {
      expect(await filesOf(data)).toEqual([]);
    });
  }
});

test('an upload refused while its client is still sending is answered so that fetch can read it', async () => {
  const { url, data } = await start({ maxBytes: 100_000 });
  const { access_token } = await register(url);
  for (const [chunk, status] of [
    [await makePngOfSize(64 * 1024), 413],
    [Buffer.alloc(64 * 1024, 'no picture'), 415],
  ] as const) {
    let sent = 0;
    const body = new ReadableStream({
      pull(controller) {
        sent += 1;
        if (sent > 300) controller.close();
        else controller.enqueue(chunk);
      },
    });
    const init = { method: 'POST', headers: { Authorization: `Bearer ${access_token}` }, body, duplex: 'half' };
    const answer = await fetch(`${url}/api/images`, init as RequestInit);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    await answer.text();
  }
  expect(await filesOf(data)).toEqual([]);
});

describe('what is not HTTP', () => {
  test.each([
    ['rubbish', 'rubbish\r\n\r\n', 400],
    ['no Host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['a malformed Host', 'GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n', 400],
    ['two Hosts', 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nhost: y\r\n\r\n', 400],
    ['two lengths', 'POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 400],
    ['100 KB of headers', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`, 431],
    ['an Expect that is unknown', 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: foo\r\n\r\n', 417],
    ['CONNECT', 'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n', 405],
    ['a broken escape', 'GET /i/%zz/%ff.png HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 404],
  ])('%s is refused with a problem', async (_, bytes, status) => {
    const { port } = await start();
    const answer = await raw(port, bytes);
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    expect(head).toContain(`HTTP/1.1 ${status} `);
    expect(head.toLowerCase()).toContain('content-type: application/problem+json');
    expect(JSON.parse(body)).toMatchObject({ status });
  });
});

test('two Authorization headers are refused, the same token twice as well', async () => {
  const { url, port } = await start();
  const { access_token } = await register(url);
  const header = `Authorization: Bearer ${access_token}\r\n`;
  const get = (headers: string) => raw(port, `GET /api/me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n`);
  expect(await get(header)).toContain('HTTP/1.1 200 ');
  expect(await get(header + header)).toContain('HTTP/1.1 401 ');
  expect(await get(`Authorization: Bearer x\r\n${header}`)).toContain('HTTP/1.1 401 ');
  expect(await get(`${header}Authorization: Bearer x\r\n`)).toContain('HTTP/1.1 401 ');
});

test('a health check of HTTP/1.0, which has no Host, is answered', async () => {
  const { port } = await start();
  expect(await raw(port, 'GET /healthz HTTP/1.0\r\n\r\n')).toContain('HTTP/1.1 200 OK');
});

describe('starting', () => {
  test('a second server on the same folder is refused, and names the first', async () => {
    const { data } = await start();
    await expect(start({ data })).rejects.toMatchObject({
      name: 'StartError',
      code: 'data_in_use',
      message: expect.stringContaining(`(process ${process.pid})`) as string,
    });
  });

  test('a second server is refused even where the lock file was deleted under the first', async () => {
    const { data, url } = await start();
    await rm(join(data, 'server.lock'));
    const message = new RegExp(`in use by another imgup server \\(process ${process.pid}\\)`);
    await expect(start({ data })).rejects.toThrow(message);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(await readFile(join(data, 'server.lock'), 'utf8')).toBe(`${process.pid}\n`);
  });

  test('a server does not take itself for another where the disk does not say whether its lock file is there', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const { data, url } = await start();
    const asked = failLookingAt(join(data, 'server.lock'), 'EIO');
    vi.advanceTimersByTime(1000);
    await eventually(() => expect(asked()).toBeGreaterThan(0));
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  test('a server whose data folder another has taken all the same answers nothing more', async () => {
    const { data, url } = await start();
    // As a server would that was started while this one had no time to look.
    const taken = await open(join(data, 'taken'), 'a+');
    onTestFinished(() => taken.close());
    tryLock(taken.fd, 1_000_000, 1);
    await rename(join(data, 'taken'), join(data, 'server.lock'));
    await eventually(async () => expect((await fetch(`${url}/healthz`)).status).toBe(503));
  });

  test('a data folder that is read-only is refused with what to do', async () => {
    const data = await temporaryFolder();
    failOpening(join(data, 'server.lock'), 'EROFS');
    await expect(start({ data })).rejects.toMatchObject({
      code: 'data_unreadable',
      message: `The data folder ${data} is read-only, and a server has to write there: make it writable, and start again.`,
    });
  });

  test.skipIf(process.platform !== 'linux')('a data folder that cannot be made is refused', async () => {
    for (const data of ['/proc/imgup', '/proc/imgup/deep/below', '/dev/null/imgup']) {
      await expect(start({ data })).rejects.toMatchObject({ code: 'data_unreadable' });
    }
  });

  test('a port in use is refused, and the folder is free again', async () => {
    const { port } = await start();
    const data = await temporaryFolder();
    await expect(start({ port, data })).rejects.toMatchObject({ code: 'port_in_use' });
    const server = await start({ data });
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });

  test.each([
    [{ port: '65536' }, '--port'],
    [{ 'upload-limit': '0/min' }, '--upload-limit'],
    [{ 'upload-limit': '5' }, '--upload-limit'],
    [{ 'access-ttl': '4m' }, '--access-ttl'],
    [{ 'access-ttl': '16m' }, '--access-ttl'],
    [{ 'max-size': 'big' }, '--max-size'],
    [{ 'public-url': 'img.example.org' }, '--public-url'],
    [{ 'public-url': 'https://img.example.org/path' }, '--public-url'],
    [{ registration: 'maybe' }, '--registration'],
    [{ 'log-level': 'loud' }, '--log-level'],
    [{ host: '' }, '--host'],
  ])('%j is refused', (flags, name) => {
    expect(() => readConfig({ flags, env: {} })).toThrow(name);
  });

  test('a variable that is wrong is named, and a flag goes before it', () => {
    const env = { IMGUP_PORT: 'x', IMGUP_UPLOAD_LIMIT: '7/30s', IMGUP_SECRET: '' };
    expect(() => readConfig({ flags: {}, env })).toThrow('IMGUP_PORT');
    expect(readConfig({ flags: { port: '1' }, env })).toMatchObject({
      port: 1,
      uploadLimit: { uploads: 7, windowMs: 30_000 },
    });
    expect(() => readConfig({ flags: {}, env: { IMGUP_SECRET: 'short' } })).toThrow('IMGUP_SECRET');
  });
});

test('a connection that is answered early again and again gathers no listeners', async () => {
  const { port } = await start();
  const warnings: string[] = [];
  const listen = (warning: Error) => void warnings.push(warning.name);
  process.on('warning', listen);
  onTestFinished(() => void process.off('warning', listen));
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  for (let round = 0; round < 15; round += 1) {
    socket.write(
      'POST /api/images HTTP/1.1\r\nHost: imgup.test\r\nContent-Type: image/png\r\nContent-Length: 4\r\n\r\n',
    );
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(String(answer)).toMatch(/^HTTP\/1\.1 401 /);
    // The body comes once the answer has gone.
    socket.write('late');
  }
  expect(warnings).toEqual([]);
});
