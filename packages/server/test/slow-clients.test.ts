import { once } from 'node:events';
import { connect } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LoginResponse } from '@imgup/shared';
import { readConfig, startServer, type StartOptions } from '@imgup/server';
import { describe, expect, onTestFinished, test } from 'vitest';
import { json } from '../../../torture/clients.js';
import { openSlowClient } from '../../../torture/slow-clients.js';
import { makePicture, makePngOfSize } from './pictures.ts';
import { bearer, imageOf, PASSWORD, temporaryFolder } from './test-app.ts';

async function start(timeouts: StartOptions['timeouts'] = {}) {
  const config = readConfig({ flags: { data: await temporaryFolder(), port: '0' }, env: {} });
  const server = await startServer({ ...config, passwordCost: 4, minFree: 0, timeouts });
  onTestFinished(() => server.close());
  return { ...server, port: Number(new URL(server.url).port) };
}

async function register(url: string): Promise<string> {
  const answer = await fetch(`${url}/api/register`, json({ username: 'ada', password: PASSWORD }));
  return ((await answer.json()) as LoginResponse).access_token;
}

/** Sends an upload but for its last bytes; resolves when the server has begun to receive it. */
async function openUpload(port: number, token: string, picture: Buffer) {
  const socket = connect(port, '127.0.0.1');
  socket.write(
    `POST /api/images HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${picture.length}\r\nExpect: 100-continue\r\n\r\n`,
  );
  await once(socket, 'data');
  socket.write(picture.subarray(0, -10));
  return socket;
}

const LENGTH = 15_000_000;

/** Asks for a large picture, and reads nothing of it yet. */
async function askForPicture(timeouts: StartOptions['timeouts'], header: string) {
  const server = await start(timeouts);
  const headers = { ...bearer(await register(server.url)), 'X-Imgup-Metadata': 'keep' };
  const body = await makePngOfSize(LENGTH);
  const image = await imageOf(await fetch(`${server.url}/api/images`, { method: 'POST', headers, body }));
  const socket = connect(server.port, '127.0.0.1').pause();
  socket.write(`GET ${new URL(image.url).pathname} HTTP/1.1\r\nHost: x\r\n${header}\r\n`);
  return { server, socket };
}

// Takes 10 to 20 seconds: the time-outs are node's own, which no clock of ours moves.
test('a client with slow headers or a slow body is told that it took too long, and its connection closed', async () => {
  const { url, port } = await start();
  const token = await register(url);
  const slow = (['headers', 'body'] as const).map((kind) => openSlowClient({ port, kind, token }).closed);
  expect((await Promise.all(slow)).map(({ status }) => status)).toEqual([408, 408]);
}, 40_000);

test('a connection that was opened and never used does not keep a server from stopping', async () => {
  const server = await start({ stopGrace: 60_000 });
  const unused = connect(server.port, '127.0.0.1');
  await once(unused, 'connect');
  // A request on another connection makes sure that the server has taken the first one.
  await (await fetch(`${server.url}/healthz`, { headers: { Connection: 'close' } })).text();
  const closed = once(unused, 'close');
  await server.close();
  await expect(closed).resolves.toEqual([false]);
});

test('a request that takes too long in all is told so, however steadily it arrives', async () => {
  const { url, port } = await start({ headersTimeout: 500, requestTimeout: 500, connectionsCheckingInterval: 100 });
  const started = performance.now();
  const upload = await openUpload(port, await register(url), await makePicture());
  expect(await text(upload)).toContain('HTTP/1.1 408 ');
  // Before the minimum rate is looked at.
  expect(performance.now() - started).toBeLessThan(9000);
});

describe('a client that does not read its answer', () => {
  test('is cut off', async () => {
    const { socket } = await askForPicture({ unreadTimeout: 300 }, 'Connection: close\r\n');
    await sleep(1500);
    const received = await buffer(socket).catch(() => Buffer.alloc(0));
    expect(received.length).toBeLessThan(LENGTH);
  });

  test('is not cut off where it only reads slowly', async () => {
    const { socket } = await askForPicture({ unreadTimeout: 1000 }, 'Connection: close\r\n');
    let received = 0;
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      received += chunk.length;
      await sleep(10);
    }
    expect(received).toBeGreaterThan(LENGTH);
  });
});

describe('a server that stops', () => {
  test('answers what is under way, and closes its connection', async () => {
    const server = await start({ stopGrace: 60_000 });
    const picture = await makePicture();
    const upload = await openUpload(server.port, await register(server.url), picture);
    const stopped = server.close();
    upload.write(picture.subarray(-10));
    const answer = await text(upload);
    expect(answer).toContain('HTTP/1.1 201 ');
    expect(answer.toLowerCase()).toContain('connection: close');
    await stopped;
  });

  test('lets a picture that is being read arrive, and closes its connection', async () => {
    const { server, socket } = await askForPicture({ stopGrace: 60_000, keepAliveTimeout: 60_000 }, '');
    await once(socket, 'readable');
    const stopped = server.close();
    expect((await buffer(socket)).length).toBeGreaterThan(LENGTH);
    await stopped;
  });

  test('refuses what comes later on a connection that is open', async () => {
    const server = await start({ stopGrace: 60_000 });
    const socket = connect(server.port, '127.0.0.1');
    socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(socket, 'data');
    socket.write('GET /healthz HTTP/1.1\r\n');
    // Another request makes sure that the server has seen the half of this one.
    await (await fetch(`${server.url}/healthz`, { headers: { Connection: 'close' } })).text();
    const stopped = server.close();
    socket.write('Host: x\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1.1 503 .*connection: close/is);
    await stopped;
  });

  test('waits so long, and no longer, for a client that sends nothing', async () => {
    const server = await start({ stopGrace: 500 });
    const upload = await openUpload(server.port, await register(server.url), await makePicture());
    upload.on('error', () => undefined);
    const started = performance.now();
    await server.close();
    const waited = performance.now() - started;
    expect([waited > 450, waited < 5000]).toEqual([true, true]);
  });
});
