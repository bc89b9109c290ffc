import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { readText, type TransportRequest } from '../src/api/transport.ts';
import { createUndiciTransport } from '../src/api/undici-transport.ts';

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A proxy that leads every name to one server, and lists what it was asked for. */
async function proxyTo(target: string) {
  const asked: string[] = [];
  const proxy = createServer();
  proxy.on('connect', (request, socket: Socket) => {
    asked.push(`${request.url} ${request.headers['proxy-authorization'] ?? ''}`.trim());
    const onward = connect(Number(new URL(target).port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(onward).pipe(socket);
    });
    socket.on('error', () => onward.destroy());
    onward.on('error', () => socket.destroy());
  });
  return { url: await listening(proxy), asked };
}

async function ask(transport: ReturnType<typeof createUndiciTransport>, request: Partial<TransportRequest>) {
  const whole: TransportRequest = { method: 'POST', url: new URL('http://img.test/x'), headers: {}, ...request };
  const response = await transport(whole);
  return { status: response.status, headers: response.headers, text: await readText(response, whole) };
}

const threeChunks = {
  length: 6,
  async *stream() {
    for (const chunk of ['ab', 'cd', 'ef']) yield Buffer.from(chunk);
  },
};

test('the request goes through the proxy, with its body and its length', async () => {
  const server = createServer((request, response) => {
    response.setHeader('x-length', request.headers['content-length'] ?? '');
    request.pipe(response);
  });
  const proxy = await proxyTo(await listening(server));
  const transport = createUndiciTransport(proxy.url.replace('//', '//ada:secret@'));
  expect(await ask(transport, { body: threeChunks })).toMatchObject({
    status: 200,
    text: 'abcdef',
    headers: { 'x-length': '6' },
  });
  expect(await ask(transport, { body: 'text' })).toMatchObject({ status: 200, text: 'text' });
  expect(proxy.asked[0]).toBe(`img.test:80 Basic ${Buffer.from('ada:secret').toString('base64')}`);
});

test('a redirect is not followed', async () => {
  const server = createServer((_request, response) => response.writeHead(302, { location: 'http://else.test/' }).end());
  const proxy = await proxyTo(await listening(server));
  expect(await ask(createUndiciTransport(proxy.url), { method: 'GET' })).toMatchObject({ status: 302 });
  expect(proxy.asked).toEqual(['img.test:80']);
});

test('an early answer is returned while the body is being sent', async () => {
  const server = createServer((request, response) => {
    response.writeHead(413).end('too large');
    request.resume();
  });
  const proxy = await proxyTo(await listening(server));
  const body = {
    length: 50 * 1024 * 1024,
    async *stream() {
      for (let sent = 0; sent < 800; sent += 1) yield Buffer.alloc(64 * 1024);
    },
  };
  expect(await ask(createUndiciTransport(proxy.url), { body })).toMatchObject({ status: 413, text: 'too large' });
});

test('a proxy that cannot be reached is said so', async () => {
  const server = createServer();
  const url = await listening(server);
  await new Promise((resolve) => server.close(resolve));
  await expect(ask(createUndiciTransport(url), {})).rejects.toMatchObject({
    code: 'refused',
    origin: 'http://img.test',
  });
});

test("a body's own error is thrown as it is", async () => {
  const proxy = await proxyTo(await listening(createServer(() => undefined)));
  const reason = new Error('the file has changed');
  const body = {
    length: 6,
    async *stream() {
      yield Buffer.from('ab');
      throw reason;
    },
  };
  await expect(ask(createUndiciTransport(proxy.url), { body })).rejects.toBe(reason);
});

test('an abort throws its reason', async () => {
  const proxy = await proxyTo(await listening(createServer(() => undefined)));
  const controller = new AbortController();
  const reason = new Error('enough');
  setTimeout(() => controller.abort(reason), 20);
  await expect(ask(createUndiciTransport(proxy.url), { signal: controller.signal })).rejects.toBe(reason);
});
