import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createLogger, readConfig, startServer } from '@imgup/server';
import type { ImageResponse, LoginResponse } from '@imgup/shared';
import { makePicture } from './pictures.ts';
import { hasS3, useEngine } from './s3-store.ts';
import { bearer, imageOf, openApp, problemOf, refusal, temporaryFolder } from './test-app.ts';

// On the disk, so that all of it can be killed.
const s3 = useEngine({ store: 'bluestore' });
const UNLIMITED = { uploads: 1_000_000, windowMs: 60_000 };

/** A server with a port, for what is measured on the way to it. */
async function serving(images = s3.location()) {
  const config = readConfig({ flags: { port: '0', data: await temporaryFolder() }, env: {} });
  const log = new PassThrough();
  let logged = '';
  log.on('data', (chunk: Buffer) => (logged += chunk.toString()));
  const logger = createLogger('info', log);
  const server = await startServer({ ...config, images, logger, uploadLimit: UNLIMITED, passwordCost: 4 });
  onTestFinished(() => server.close());
  const registration = await fetch(`${server.url}/api/register`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ username: 'ada', password: 'a long enough secret' }),
  });
  const { access_token } = (await registration.json()) as LoginResponse;
  return {
    logged: () => logged,
    get: (path: string) => fetch(server.url + path),
    upload: async (seed: number) => {
      const body = await makePicture({ seed });
      return fetch(`${server.url}/api/images`, { method: 'POST', headers: bearer(access_token), body });
    },
  };
}

/** Stands before the engine, and answers some requests itself, as an engine in trouble does. */
async function troubled(answers: (nth: number) => number | 'reset' | 'stall' | null): Promise<string> {
  let requests = 0;
  const { port } = new URL(s3.engine().endpoint);
  const proxy: Server = createServer((incoming, outgoing) => {
    requests += 1;
    const answer = answers(requests);
    if (answer === 'reset') incoming.socket.destroy();
    else if (typeof answer === 'number') incoming.resume().on('end', () => outgoing.writeHead(answer).end());
    else {
      const { method, url, headers } = incoming;
      const onward = request({ port, host: '127.0.0.1', method, path: url, headers, agent: false }, (result) => {
        outgoing.writeHead(result.statusCode ?? 500, result.headers);
        if (answer === 'stall' && result.headers['content-type'] === 'image/png')
          result.once('data', (some: Buffer) => outgoing.write(some.subarray(0, 100)));
        else result.pipe(outgoing);
      });
      onward.on('error', () => incoming.socket.destroy());
      incoming.pipe(onward);
    }
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  onTestFinished(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}

describe.skipIf(!hasS3)('an S3 engine that fails', { timeout: 120_000 }, () => {
  test.each([
    ['answers every third request with 503', (nth: number) => (nth % 3 === 0 ? 503 : null)],
    ['answers every third request with 500', (nth: number) => (nth % 3 === 0 ? 500 : null)],
    ['resets every third connection', (nth: number) => (nth % 3 === 0 ? ('reset' as const) : null)],
  ])('now and then: %s, and nobody hears of it', async (_what, answers) => {
    const endpoint = await troubled(answers);
    const app = await openApp({ images: s3.location(endpoint), uploadLimit: UNLIMITED });
    const { access_token } = await app.register('ada');
    for (let seed = 0; seed < 6; seed += 1) {
      const picture = await makePicture({ seed });
      const answer = await app.upload(access_token, picture);
      expect([200, 201]).toContain(answer.status);
      const image = await imageOf(answer);
      const served = await app.request(new URL(image.url).pathname);
      expect(Buffer.from(await served.arrayBuffer())).toEqual(picture);
    }
  });

  test('in the middle of a picture of which a small version is being made keeps nobody waiting for long', async () => {
    let stalls = false;
    const endpoint = await troubled(() => (stalls ? 'stall' : null));
    const app = await openApp({ images: s3.location(endpoint) });
    const { access_token } = await app.register('ada');
    const image = await imageOf(await app.upload(access_token, await makePicture({ width: 800, height: 600 })));
    const small = `${new URL(image.url).pathname}?w=640`;
    stalls = true;
    const answer = await app.request(small);
    expect(await refusal(answer)).toBe('503 storage_unavailable');
    expect(await readdir(join(app.data, 'incoming'))).toEqual([]);
    stalls = false;
    expect((await app.request(small)).status).toBe(200);
  }, 40_000);

  test('and was killed under load has all that was acknowledged, and is used again at once', async () => {
    const { upload, get, logged } = await serving();
    const acknowledged: ImageResponse[] = [];
    let [seed, refused, loading] = [0, 0, true];
    let lastAnswer = 0;
    const load = Array.from({ length: 4 }, async () => {
      while (loading) {
        const answer = await upload((seed += 1));
        if (answer.status === 201) {
          acknowledged.push(await imageOf(answer));
          lastAnswer = performance.now();
        } else {
          expect([500, 503]).toContain((await problemOf(answer)).status);
          refused += 1;
        }
      }
    });
    const times: number[] = [];
    for (const isAll of [false, false, true]) {
      const before = acknowledged.length;
      while (acknowledged.length < before + 20) await sleep(20);
      const { kill, restart, killAll, restartAll } = s3.engine();
      await (isAll ? killAll() : kill());
      await sleep(1000);
      await (isAll ? restartAll() : restart());
      const restarted = performance.now();
      while (lastAnswer < restarted) await sleep(20);
      times.push(Math.round(lastAnswer - restarted));
    }
    loading = false;
    await Promise.all(load);
    const lost: string[] = [];
    for (const { url } of acknowledged) {
      const answer = await get(new URL(url).pathname);
      await answer.arrayBuffer();
      if (answer.status !== 200) lost.push(url);
    }
    console.log(
      `S3 engine killed three times, the last time with all that it stands on: ${acknowledged.length} acknowledged, ${lost.length} lost, ${refused} refused; ` +
        `the next was acknowledged ${times.join(', ')} ms after it answered again`,
    );
    expect(lost).toEqual([]);
    expect(logged()).toContain('ECONNREFUSED');
    for (const secret of ['Signature', 'imgup-test']) expect(logged()).not.toContain(secret);
    expect(Math.max(...times)).toBeLessThan(10_000);
  });

  test('and hangs is said to be unavailable within its time-out, while the server answers; and is used again', async () => {
    const { upload, get } = await serving();
    const image = await imageOf(await upload(1));
    s3.engine().pause();
    try {
      const began = performance.now();
      const waiting = [upload(2), get(new URL(image.url).pathname), get('/readyz')].map(async (asked) => {
        const answer = await asked;
        return { problem: await problemOf(answer), answer, after: performance.now() - began };
      });
      const health: number[] = [];
      for (let time = 0; time < 50; time += 1) {
        const asked = performance.now();
        expect((await get('/healthz')).status).toBe(200);
        health.push(performance.now() - asked);
        await sleep(50);
      }
      const answers = await Promise.all(waiting);
      for (const { problem, answer } of answers) {
        expect([answer.status, problem.code]).toEqual([503, 'storage_unavailable']);
        expect(answer.headers.get('retry-after')).toBe('30');
      }
      const after = answers.map((answer) => `${(answer.after / 1000).toFixed(1)} s`);
      console.log(
        `S3 engine stopped with SIGSTOP: an upload, a picture and /readyz were answered with 503 after ${after.join(', ')}; ` +
          `/healthz meanwhile within ${Math.max(...health).toFixed(0)} ms`,
      );
      expect(Math.max(...answers.map((answer) => answer.after))).toBeLessThan(25_000);
    } finally {
      s3.engine().resume();
    }
    expect((await upload(3)).status).toBe(201);
    expect((await get('/readyz')).status).toBe(200);
  });
});
