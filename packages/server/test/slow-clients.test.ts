import { once } from 'node:events';
import { connect } from 'node:net';
import type { LoginResponse } from '@imgup/shared';
import { readConfig, startServer } from '@imgup/server';
import { expect, onTestFinished, test } from 'vitest';
import { json } from '../../../torture/clients.js';
import { openSlowClient } from '../../../torture/slow-clients.js';
import { PASSWORD, temporaryFolder } from './test-app.ts';

async function start() {
  const config = readConfig({ flags: { data: await temporaryFolder(), port: '0' }, env: {} });
  const server = await startServer({ ...config, passwordCost: 4, minFree: 0 });
  onTestFinished(() => server.close());
  return { ...server, port: Number(new URL(server.url).port) };
}

// Takes 10 to 20 seconds: the time-outs are node's own, which no clock of ours moves.
test('a client with slow headers or a slow body is told that it took too long, and its connection closed', async () => {
  const { url, port } = await start();
  const answer = await fetch(`${url}/api/register`, json({ username: 'ada', password: PASSWORD }));
  const { access_token: token } = (await answer.json()) as LoginResponse;
  const slow = (['headers', 'body'] as const).map((kind) => openSlowClient({ port, kind, token }).closed);
  expect((await Promise.all(slow)).map(({ status }) => status)).toEqual([408, 408]);
}, 40_000);

test('a connection that was opened and never used does not keep a server from stopping', async () => {
  const server = await start();
  const unused = connect(server.port, '127.0.0.1');
  await once(unused, 'connect');
  // A request on another connection makes sure that the server has taken the first one.
  await (await fetch(`${server.url}/healthz`, { headers: { Connection: 'close' } })).text();
  const closed = once(unused, 'close');
  await server.close();
  await expect(closed).resolves.toEqual([false]);
});
