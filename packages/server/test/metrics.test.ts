import { rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createApp, readConfig, startServer, type StartOptions } from '@imgup/server';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createStoreWatch } from '../src/adapters/count-store-errors.ts';
import { createPrometheusMetrics } from '../src/adapters/prometheus/metrics.ts';
import { AppError } from '../src/errors.ts';
import { makePicture } from './pictures.ts';
import { METRICS_TOKEN, parseMetrics, scrape } from './scrape.ts';
import { bearer, imageOf, openApp, PASSWORD, refusal, temporaryFolder, type TestApp } from './test-app.ts';
import { eventually } from './eventually.ts';

const MANY = { uploads: 1000, windowMs: 60_000 };

const open = (options: Parameters<typeof openApp>[0] = {}) => openApp({ metricsToken: METRICS_TOKEN, ...options });

/** How far what is done moves the metrics. */
async function movedBy(app: TestApp, work: () => Promise<unknown>): Promise<(sample: string) => number> {
  const before = await scrape(app.request);
  await work();
  const after = await scrape(app.request);
  return (sample) => {
    const now = after.get(sample);
    if (now === undefined) throw new Error(`there is no ${sample}`);
    return now - (before.get(sample) ?? 0);
  };
}

async function start(options: Partial<StartOptions> = {}) {
  const config = readConfig({ flags: { data: await temporaryFolder(), port: '0' }, env: {} });
  const server = await startServer({ ...config, passwordCost: 4, metricsToken: METRICS_TOKEN, ...options });
  onTestFinished(() => server.close());
  const request = (path: string, init?: RequestInit) => fetch(server.url + path, init);
  const post = (path: string, body: object) =>
    request(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
  return { request, post, port: Number(new URL(server.url).port) };
}

describe('who may read the metrics', () => {
  test('is nobody, unless the server is given a token for it', async () => {
    const app = await openApp();
    expect(await refusal(await app.request('/metrics'))).toBe('404 not_found');
    expect(await refusal(await app.request('/metrics', { headers: bearer(METRICS_TOKEN) }))).toBe('404 not_found');
  });

  test('is who has that token, and not even an administrator without it', async () => {
    const app = await open();
    const { access_token } = await app.register('ada');
    const key = (await (await app.post('/api/keys', { name: 'k' }, access_token)).json()) as { key: string };
    expect(await refusal(await app.request('/metrics'))).toBe('401 token_missing');
    for (const token of [
      access_token,
      key.key,
      METRICS_TOKEN.slice(1),
      `${METRICS_TOKEN}x`,
      METRICS_TOKEN.toUpperCase(),
    ]) {
      expect(await refusal(await app.request('/metrics', { headers: bearer(token) }))).toBe('401 token_invalid');
    }
    expect(await refusal(await app.request(`/metrics?token=${METRICS_TOKEN}`))).toBe('401 token_missing');
    const answer = await app.request('/metrics', { headers: bearer(METRICS_TOKEN) });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  test('can be told by a file, as Prometheus is', async () => {
    const file = join(await temporaryFolder(), 'token');
    await writeFile(file, `${METRICS_TOKEN}\n`);
    const app = await openApp({ metricsTokenFile: file });
    expect((await scrape(app.request)).get('imgup_uploads_under_way')).toBe(0);
  });

  test.each([
    ['short', 'is to be 16 characters long'],
    ['has spaces in it, though it is long', 'is to be without spaces'],
    ['', 'is to be something'],
  ])('a token that is "%s" is refused at the start', async (token) => {
    const file = join(await temporaryFolder(), 'token');
    await writeFile(file, token);
    await expect(openApp({ metricsTokenFile: file })).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining('at least 16 characters'),
    });
    const none = openApp({ metricsTokenFile: join(file, 'none') });
    await expect(none).rejects.toMatchObject({ message: expect.stringContaining('--metrics-token-file must be') });
  });
});

describe('metrics count', () => {
  test('uploads by what came of them, and problems by their code', async () => {
    const app = await open({ uploadLimit: { uploads: 3, windowMs: 60_000 } });
    const { access_token } = await app.register('ada');
    const picture = await makePicture();
    const moved = await movedBy(app, async () => {
      await imageOf(await app.upload(access_token, picture));
      await imageOf(await app.upload(access_token, picture));
      expect(await refusal(await app.upload(access_token, 'no picture'))).toBe('415 image_type_unsupported');
      expect(await refusal(await app.upload(access_token, picture))).toBe('429 upload_limit_reached');
      expect(await refusal(await app.upload('nonsense', picture))).toBe('401 token_invalid');
    });
    for (const result of ['created', 'known', 'image_type_unsupported', 'upload_limit_reached', 'token_invalid']) {
      expect([result, moved(`imgup_uploads_total{result="${result}"}`)]).toEqual([result, 1]);
    }
    for (const code of ['image_type_unsupported', 'upload_limit_reached', 'token_invalid']) {
      expect([code, moved(`imgup_problems_total{code="${code}"}`)]).toEqual([code, 1]);
    }
    expect(moved('imgup_problems_total{code="not_found"}')).toBe(0);
    expect(moved('imgup_uploads_under_way')).toBe(0);
  });

  test('requests by the pattern of their path, with how long each took', async () => {
    const app = await open();
    const { access_token } = await app.register('ada');
    const { url } = await imageOf(await app.upload(access_token, await makePicture()));
    const moved = await movedBy(app, async () => {
      await app.request(new URL(url).pathname);
      await app.request('/i/nobody/nothing.png');
      await app.request('/nowhere');
      await app.request('/api/me', { method: 'PATCH' });
    });
    const count = (method: string, route: string, status: string) =>
      moved(`imgup_http_request_duration_seconds_count{method="${method}",route="${route}",status="${status}"}`);
    expect(count('GET', '/i/:owner/:file', '2xx')).toBe(1);
    expect(count('GET', '/i/:owner/:file', '4xx')).toBe(1);
    expect(count('GET', 'other', '4xx')).toBe(1);
    expect(count('other', '/api/me', '4xx')).toBe(1);
    expect(moved('imgup_problems_total{code="not_found"}')).toBe(2);
    expect(moved('imgup_problems_total{code="method_not_allowed"}')).toBe(1);
    const text = await (await app.request('/metrics', { headers: bearer(METRICS_TOKEN) })).text();
    expect(text).not.toContain('nobody');
  });

  test('attempts that were one too many, bytes and connections', async () => {
    const { request, post } = await start({ loginLimit: { attempts: 2, windowMs: 60_000 } });
    const account = { username: 'ada', password: PASSWORD };
    const { access_token } = (await (await post('/api/register', account)).json()) as { access_token: string };
    expect((await post('/api/login', { ...account, password: 'wrong and wrong' })).status).toBe(401);
    expect((await post('/api/login', account)).status).toBe(429);
    const picture = await makePicture();
    const answer = await request('/api/images', {
      method: 'POST',
      headers: { ...bearer(access_token), 'Content-Type': 'image/png' },
      body: picture,
    });
    const { url } = await imageOf(answer);
    await (await fetch(url)).arrayBuffer();
    await eventually(async () => {
      const seen = await scrape(request);
      expect(seen.get('imgup_problems_total{code="wrong_credentials"}')).toBe(1);
      expect(seen.get('imgup_problems_total{code="too_many_attempts"}')).toBe(1);
      expect(seen.get('imgup_received_bytes_total')).toBeGreaterThan(picture.length);
      expect(seen.get('imgup_sent_bytes_total')).toBeGreaterThan(picture.length);
      expect(seen.get('imgup_connections')).toBeGreaterThanOrEqual(1);
      expect(seen.get('imgup_requests_under_way')).toBe(1);
    });
  });

  test('passwords and pictures that are at work or wait', async () => {
    const app = await open({ passwordCost: 10, uploadLimit: MANY });
    const { access_token } = await app.register('ada');
    const sum = async (start: string) =>
      [...(await scrape(app.request))].reduce(
        (total, [name, value]) => total + (name.startsWith(start) ? value : 0),
        0,
      );
    const logins = Promise.all(
      Array.from({ length: 8 }, () => app.post('/api/login', { username: 'ada', password: PASSWORD })),
    );
    await eventually(async () => expect(await sum('imgup_password_jobs{state="waiting"}')).toBeGreaterThan(0));
    await logins;
    const uploads = Promise.all(
      Array.from({ length: 8 }, async (_, seed) => app.upload(access_token, await makePicture({ seed }))),
    );
    await eventually(
      async () => {
        expect(await sum('imgup_decoder_jobs{queue="uploads",state="running"}')).toBeGreaterThan(0);
        expect(await sum('imgup_uploads_under_way')).toBeGreaterThan(0);
      },
      { interval: 1 },
    );
    await uploads;
    expect(await sum('imgup_password_jobs')).toBe(0);
    expect(await sum('imgup_decoder_jobs')).toBe(0);
    expect(await sum('imgup_uploads_under_way')).toBe(0);
  });

  test('failures of a store by their kind, and what a client is to blame for as none', async () => {
    const app = await open();
    const { access_token } = await app.register('ada');
    const picture = await makePicture();
    const none = await movedBy(app, () => app.upload(access_token, 'no picture'));
    expect(none('imgup_store_errors_total{store="incoming",kind="other"}')).toBe(0);
    await rm(join(app.data, 'incoming'), { recursive: true });
    const moved = await movedBy(app, async () => {
      expect(await refusal(await app.upload(access_token, picture))).toBe('503 storage_unavailable');
    });
    expect(moved('imgup_store_errors_total{store="disk",kind="io"}')).toBe(1);
  });

  test.each([
    ['full', Object.assign(new Error('no room'), { code: 'ENOSPC' })],
    [
      'connection',
      new AppError('storage_unavailable', 'Later.', { cause: Object.assign(new Error(), { code: 'EPIPE' }) }),
    ],
    ['timeout', Object.assign(new Error('too slow'), { name: 'TimeoutError' })],
    ['other', new Error('a surprise')],
    [null, new AppError('image_invalid', 'It cannot be decoded.')],
    [null, new AppError('server_busy', 'The decoder is busy.')],
  ])('as %s what a store rejects with, and pass it on', async (kind, error) => {
    const metrics = createPrometheusMetrics();
    const watch = createStoreWatch(metrics);
    const store = watch('images', { size: 3, put: async () => Promise.reject(error), get: (id: string) => id });
    await expect(store.put()).rejects.toBe(error);
    expect(store.get('x') + store.size).toBe('x3');
    const moved = [...parseMetrics((await metrics.render()).text)].filter(
      ([name, value]) => name.startsWith('imgup_store_errors') && value > 0,
    );
    expect(moved).toEqual(kind === null ? [] : [[`imgup_store_errors_total{store="images",kind="${kind}"}`, 1]]);
  });

  test('what the app has never heard of', async () => {
    const { request, port } = await start();
    const socket = connect(port, '127.0.0.1');
    socket.write('rubbish\r\n\r\n');
    await text(socket);
    expect((await scrape(request)).get('imgup_unheard_requests_total{code="invalid_request"}')).toBe(1);
  });

  test('what a part of the server, or whoever embeds it, adds', async () => {
    const app = await createApp({ data: await temporaryFolder(), passwordCost: 4, metricsToken: METRICS_TOKEN });
    onTestFinished(() => app.close());
    let idle = 3;
    app.metrics.gauge('imgup_database_connections', 'Connections of the pool.', () => idle, { state: 'idle' });
    app.metrics.gauge('imgup_database_connections', 'Connections of the pool.', () => 1, { state: 'busy' });
    const request = async (path: string, init: RequestInit) => app.fetch(new Request(`http://x${path}`, init));
    expect((await scrape(request)).get('imgup_database_connections{state="idle"}')).toBe(3);
    idle = 2;
    expect((await scrape(request)).get('imgup_database_connections{state="idle"}')).toBe(2);
    expect((await scrape(request)).get('imgup_database_connections{state="busy"}')).toBe(1);
  });
});

test('ten thousand paths, methods and tokens that somebody makes up add no series', async () => {
  const app = await open();
  const { access_token } = await app.register('ada');
  const every = async () => {
    for (const path of ['/', '/api/me', '/i/a/b.png', '/api/images']) {
      for (const method of ['GET', 'POST', 'BREW']) await app.request(path, { method });
    }
  };
  await every();
  await scrape(app.request);
  const names = async () => [...(await scrape(app.request)).keys()].filter((name) => name.startsWith('imgup_'));
  const before = await names();
  for (let index = 0; index < 10_000; index += 1) {
    const word = (index * 2_654_435_761).toString(36);
    const path = [`/${word}`, `/i/${word}/${word}.png`, `/api/me?${word}`, `/api/images/${word}`][index % 4] ?? '';
    await app.request(path, {
      method: index % 3 ? 'GET' : `X${word}`,
      headers: bearer(index % 2 ? word : access_token),
    });
  }
  const after = await names();
  const added = after.filter((name) => !before.includes(name));
  // The routes that have not been asked before, in one class of status each.
  const routes = new Set(added.map((name) => /route="([^"]*)",status="([^"]*)"/.exec(name)?.slice(1).join(' ')));
  expect([...routes].toSorted()).toEqual(['/api/images/:id 4xx', '/api/me 2xx']);
  expect(after.length).toBeLessThan(500);
});

test('a value that a label is not known to have is counted as another', async () => {
  const metrics = createPrometheusMetrics();
  const count = metrics.counter('things_total', 'Things.', { colour: ['red'] });
  const took = metrics.histogram('things_seconds', 'Things.', { colour: ['red'] });
  for (const colour of ['red', 'blue', 'green', '"\n']) {
    count({ colour });
    took({ colour }, 0.1);
  }
  const seen = parseMetrics((await metrics.render()).text);
  expect(seen.get('things_total{colour="red"}')).toBe(1);
  expect(seen.get('things_total{colour="other"}')).toBe(3);
  expect(seen.get('things_seconds_count{colour="other"}')).toBe(3);
});

test('the process is seen too, once, however many servers it has', async () => {
  const first = await open();
  const second = await open();
  for (const app of [first, second]) {
    const seen = await scrape(app.request);
    expect(seen.get('process_resident_memory_bytes')).toBeGreaterThan(1e6);
    expect(seen.get('nodejs_eventloop_lag_seconds')).toBeDefined();
  }
});
