import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { LoginResponse } from '@imgup/shared';
import { readConfig, startServer } from '@imgup/server';
import { describe, expect, onTestFinished, test } from 'vitest';
import { json } from '../../../torture/clients.js';
import { watchFileCalls } from './file-calls.ts';
import { makePngOfSize } from './pictures.ts';
import { bearer, imageOf, PASSWORD, temporaryFolder } from './test-app.ts';
import { eventually } from './eventually.ts';

async function start() {
  const data = await temporaryFolder();
  const config = readConfig({ flags: { data, port: '0' }, env: {} });
  const server = await startServer({ ...config, passwordCost: 4, minFree: 0 });
  onTestFinished(() => server.close());
  return { url: server.url, data, port: Number(new URL(server.url).port) };
}

const get = (path: string, header = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${header}\r\n`;

describe('requests that a client sends without waiting for an answer', () => {
  test('are answered in their order', async () => {
    const { port } = await start();
    const socket = connect(port, '127.0.0.1');
    const login = 'POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}';
    socket.write(get('/healthz') + login + get('/i/a/b.png', 'Connection: close\r\n'));
    expect((await text(socket)).match(/(?<=HTTP\/1\.1 )\d{3}/g)).toEqual(['200', '400', '404']);
  });

  test('leave no picture open when it goes away', async () => {
    const { url, data, port } = await start();
    const { access_token } = (await (
      await fetch(`${url}/api/register`, json({ username: 'ada', password: PASSWORD }))
    ).json()) as LoginResponse;
    const headers = { ...bearer(access_token), 'X-Imgup-Metadata': 'keep' };
    const body = await makePngOfSize(15_000_000);
    const image = await imageOf(await fetch(`${url}/api/images`, { method: 'POST', headers, body }));
    const disk = watchFileCalls([join(data, 'images')]);
    const socket = connect(port, '127.0.0.1').pause();
    socket.write(get(new URL(image.url).pathname).repeat(20));
    await once(socket, 'readable');
    // Nor are they opened before it is their turn, for all of a connection could be had at the price of one.
    expect(disk.open()).toHaveLength(1);
    socket.destroy();
    await eventually(() => expect(disk.open()).toEqual([]));
  });

  test('are cut off where they are a flood', async () => {
    const { port } = await start();
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(get('/api').repeat(2000));
    const answers = await text(socket).catch(() => '');
    expect(answers.split('HTTP/1.1 ').length).toBeLessThan(2000);
  });
});
