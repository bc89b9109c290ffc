import { readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { readConfig, startServer } from '@imgup/server';
import { paths, type CreateKeyResponse, type LoginResponse } from '@imgup/shared';
import ipaddr from 'ipaddr.js';
import { expect, onTestFinished, test } from 'vitest';
import { collectLog } from './collect-log.ts';
import { makePicture } from './pictures.ts';
import { METRICS_TOKEN } from './scrape.ts';
import { bearer, temporaryFolder } from './test-app.ts';
import { eventually } from './eventually.ts';

const FIRST = 'my first pass phrase';
const SECOND = 'my second pass phrase';
const WRONG = 'a pass phrase of another site';
/** Typed where the name belongs, as a number, into what is no JSON, and behind a "?". */
const MISPLACED = [
  'PassPhraseAsAName',
  '8877665544332211',
  'pass-phrase-in-broken-json',
  'token-behind-a-question-mark',
];

/** Each, and each part of it that a dot or an underscore sets off: half a token is of use, too. */
function withParts(secret: string): string[] {
  return [secret, ...secret.split(/[._]/).filter((part) => part.length >= 20)];
}

test('neither the log at "debug" nor the metrics hold anything secret that was sent, answered or stored', async () => {
  const data = await temporaryFolder();
  const log = collectLog('debug');
  const config = readConfig({ flags: { data, port: '0' }, env: {} });
  const server = await startServer({
    ...config,
    passwordCost: 4,
    logger: log.logger,
    logLevel: 'debug',
    metricsToken: METRICS_TOKEN,
    trustedProxies: [[ipaddr.parse('127.0.0.1'), 32]],
    uploadLimit: { uploads: 100, windowMs: 60_000 },
    loginLimit: { attempts: 100, windowMs: 60_000 },
  });
  onTestFinished(() => server.close());
  const secrets = new Set([FIRST, SECOND, WRONG, METRICS_TOKEN, ...MISPLACED]);
  const statuses: number[] = [];
  const send = async (
    method: string,
    path: string,
    init: { token?: string; json?: unknown; body?: RequestInit['body'] } = {},
  ) => {
    const { token, json, body } = init;
    const answer = await fetch(`${server.url}${path}`, {
      method,
      headers: { ...(token && bearer(token)), ...(json !== undefined && { 'Content-Type': 'application/json' }) },
      body: json === undefined ? (body ?? null) : JSON.stringify(json),
    });
    statuses.push(answer.status);
    return answer;
  };
  const tokensOf = async (answer: Response): Promise<LoginResponse> => {
    const tokens = (await answer.json()) as LoginResponse;
    secrets.add(tokens.access_token).add(tokens.refresh_token);
    return tokens;
  };

  const account = { username: 'ada', password: FIRST };
  const first = await tokensOf(await send('POST', paths.register, { json: { ...account, device: 'a desk' } }));
  const token = first.access_token;
  await tokensOf(await send('POST', paths.login, { json: account }));
  await tokensOf(await send('POST', paths.refresh, { json: { refresh_token: first.refresh_token } }));
  await send('POST', paths.login, { json: { ...account, password: WRONG } });
  await send('POST', paths.login, { json: { username: MISPLACED[0], password: FIRST } });
  await send('POST', paths.login, { json: { username: 'ada', password: Number(MISPLACED[1]) } });
  await send('POST', paths.login, { body: new Blob([`{"password": "${MISPLACED[2]}"`], { type: 'application/json' }) });
  await send('POST', paths.refresh, { json: { refresh_token: `${first.refresh_token}x` } });
  await send('POST', paths.password, { token, json: { current: WRONG, new: SECOND } });
  await send('POST', paths.password, { token, json: { current: FIRST, new: SECOND } });
  const { key } = (await (await send('POST', paths.keys, { token, json: { name: 'k' } })).json()) as CreateKeyResponse;
  secrets.add(key);

  const form = () => {
    const made = new FormData();
    made.set('password', WRONG);
    made.set('file', new Blob(['no picture']), 'a.png');
    return made;
  };
  const picture = await makePicture();
  await send('POST', paths.images, { token: key, body: picture });
  await send('POST', paths.images, { token, body: form() });
  await send('POST', paths.images, { token: `${token}x`, body: picture });
  await send('GET', `${paths.me}?access_token=${MISPLACED[3]}`);
  for (const secret of [token, key, first.refresh_token]) {
    await send('GET', `${paths.me}?access_token=${secret}`);
    await send('GET', `/nowhere/${secret}?token=${secret}`);
    await send('DELETE', `/api/keys/${secret}`, { token });
    await send('GET', `/i/${secret}/${secret}.png?X-Amz-Signature=${secret}`);
    await send('GET', paths.metrics, { token: secret });
  }
  for (const path of [paths.about, paths.me, paths.sessions, paths.keys, paths.users, paths.images, paths.openapi]) {
    await send('GET', path, { token });
  }
  await send('POST', paths.logoutRefresh, { json: { refresh_token: first.refresh_token } });
  // What the HTTP parser refuses, and what the disk does.
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.write(`GET / HTTP/1.1\r\nAuthorization: Bearer ${token}\r\nBroken Header ${WRONG}\r\n\r\n`);
  await text(socket);
  const again = await tokensOf(await send('POST', paths.login, { json: { ...account, password: SECOND } }));
  await rm(join(data, 'incoming'), { recursive: true });
  await send('POST', paths.images, { token: again.access_token, body: picture });
  const metrics = await (await send('GET', paths.metrics, { token: METRICS_TOKEN })).text();
  await send('POST', paths.logoutAccess, { token: again.access_token });

  const stored = await readFile(join(data, 'db.json'), 'utf8');
  for (const [hash] of stored.matchAll(/\$2b\$[^"]+|(?<="hash":")[0-9a-f]{64}/g)) secrets.add(hash);
  const secret = await readFile(join(data, 'secret'));
  for (const form of ['hex', 'base64', 'base64url', 'utf8'] as const) secrets.add(secret.toString(form).trim());

  // All of it was on its way: else nothing could be in the log either.
  expect(new Set(statuses)).toEqual(new Set([200, 201, 204, 400, 401, 403, 404, 415, 503]));
  await eventually(() => {
    const ended = log.lines().filter(({ msg }) => msg === 'request');
    expect(ended).toHaveLength(statuses.length);
  });
  expect(log.lines().filter(({ level }) => level === 'debug').length).toBeGreaterThan(statuses.length);
  expect(secrets.size).toBeGreaterThan(18);
  for (const part of [...secrets].flatMap(withParts)) {
    expect(part.length).toBeGreaterThan(8);
    expect(log.text()).not.toContain(part);
    expect(metrics).not.toContain(part);
  }
});
