import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { startServerProcess } from '../../../torture/server-process.js';
import { PASSWORD, temporaryFolder } from './test-app.ts';

/** A process of its own cannot run the sources; `npm test` builds first. */
const isBuilt = existsSync(fileURLToPath(new URL('../dist/index.js', import.meta.url)));
const canLimit = spawnSync('prlimit', ['--version']).status === 0;

test.skipIf(!isBuilt || !canLimit)(
  'a server that is out of descriptors before its first registration takes it as soon as there are some',
  async () => {
    const server = await startServerProcess(await temporaryFolder());
    onTestFinished(() => server.kill());
    // One connection, made while it can be accepted.
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const send = (method: string, path: string, body = '') =>
      new Promise<number | undefined>((resolve, reject) => {
        const headers = { 'Content-Type': 'application/json' };
        const sent = request(server.url + path, { method, agent, headers }, (answer) => {
          answer.resume().once('end', () => resolve(answer.statusCode));
        });
        sent.once('error', reject).end(body);
      });
    const register = () => send('POST', '/api/register', JSON.stringify({ username: 'ada', password: PASSWORD }));
    const limit = (files: number) => spawnSync('prlimit', ['--pid', `${server.pid}`, `--nofile=${files}:`]);

    expect(await send('GET', '/healthz')).toBe(200);
    limit(10);
    expect(await register()).toBe(503);
    limit(1024);
    expect(await register()).toBe(201);
  },
  30_000,
);
