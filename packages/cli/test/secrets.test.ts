import { describe, expect, test } from 'vitest';
import { readText, type Transport, type TransportRequest } from '../src/api/transport.ts';
import { CredentialStoreError } from '../src/credentials/credential-store-error.ts';
import { createUndiciTransport } from '../src/api/undici-transport.ts';
import { bodyOf, connectionCut, openWorld, PASSWORD, type Outcome, type RunOptions, type World } from './world.ts';

const NEW_PASSWORD = 'another long enough secret';
const WRONG_PASSWORD = 'a password that is wrong';
const SECRET_MEMBERS = /"(?:access_token|refresh_token)":"([^"]+)"/g;

/** Notes every token that a server hands out. */
function tokensOf(world: World): Set<string> {
  const tokens = new Set<string>();
  world.network.way = noting(tokens, (request, next) => next(request));
  return tokens;
}

type Way = (request: TransportRequest, next: Transport) => ReturnType<Transport>;

function noting(tokens: Set<string>, way: Way): Way {
  return async (request, next) => {
    const answer = await way(request, next);
    const text = await readText(answer, request);
    for (const [, token = ''] of text.matchAll(SECRET_MEMBERS)) tokens.add(token);
    return { ...answer, body: bodyOf(text) };
  };
}

/** The whole, and the parts of a token that would be enough to make it or to find it elsewhere. */
function traces(secrets: Iterable<string>): string[] {
  return [...secrets].flatMap((secret) => {
    const parts = /^[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}$/.test(secret) ? secret.split('.').slice(1) : [];
    const encoded = [secret, ...parts].flatMap((text) => [text, Buffer.from(text).toString('base64'), encodeURI(text)]);
    return encoded;
  });
}

function expectNone(outcomes: Outcome[], secrets: Iterable<string>): void {
  const all = traces(secrets);
  expect(all.length).toBeGreaterThan(3);
  for (const { stdout, stderr } of outcomes) {
    for (const secret of all) expect(stdout + stderr).not.toContain(secret);
  }
}

describe('nothing secret is in what any command prints, with --debug too,', () => {
  const withPassword = { stdin: `${PASSWORD}\n` };
  const login = ['login', '--username', 'ada', '--password-stdin'];

  test('when all goes well', async () => {
    const world = await openWorld();
    const tokens = tokensOf(world);
    const outcomes: Outcome[] = [];
    const imgup = async (args: string[], options: RunOptions = {}) => {
      for (const more of [[], ['--json']]) {
        // What can be done only once is done with --debug.
        const outcome = await world.imgup([...args, '--debug', ...more], options);
        outcomes.push(outcome);
        if (ONCE.has(args[0] ?? '')) return;
      }
    };
    const ONCE = new Set(['register', 'passwd', 'logout', 'users']);
    await imgup(['register', '--username', 'ada', '--password-stdin'], withPassword);
    await imgup(['register', '--username', 'bob', '--password-stdin'], withPassword);
    await imgup(login, withPassword);
    await imgup(['whoami']);
    world.clock.server += 3_600_000;
    await imgup(['upload', await world.picture()]);
    await imgup(['sessions']);
    await imgup(['passwd', '--password-stdin'], { stdin: `${PASSWORD}\n${NEW_PASSWORD}\n` });
    await imgup(['sessions', 'end', '--others']);
    await imgup(['users']);
    await imgup(['users', 'rm', 'bob', '--yes']);
    const token = (await world.record())?.access_token ?? '';
    await imgup(['whoami'], { env: { IMGUP_TOKEN: token } });
    await imgup(['logout', '--all']);

    expect(outcomes.map(({ code }) => code)).toEqual(outcomes.map(() => 0));
    expect(tokens.size).toBeGreaterThan(8);
    expectNone(outcomes, [PASSWORD, NEW_PASSWORD, ...tokens]);
  });

  test.each<[string, Way]>([
    ['the line is cut', (request) => Promise.reject(connectionCut(request))],
    ['the program has a fault', () => Promise.reject(new TypeError('a fault'))],
    ['the answer is half of one', async (request, next) => half(request, await next(request))],
    ['something else answers', async () => ({ status: 200, headers: {}, body: bodyOf('<p>Welcome') })],
    ['a proxy answers', async () => ({ status: 502, headers: { 'content-type': 'text/html' }, body: bodyOf('<p>') })],
    [
      'the request is sent on',
      async () => ({ status: 307, headers: { location: 'https://other.test/x' }, body: bodyOf('') }),
    ],
  ])('when %s', async (_what, way) => {
    const world = await openWorld();
    const tokens = tokensOf(world);
    await world.imgup(['register', '--username', 'ada', '--password-stdin'], withPassword);
    const record = await world.record();
    world.network.way = noting(tokens, way);
    const outcomes: Outcome[] = [];
    const imgup = async (args: string[], options: RunOptions = {}) =>
      outcomes.push(await world.imgup([...args, '--debug'], options), await world.imgup(args, options));
    await imgup(login, withPassword);
    await imgup(['passwd', '--password-stdin'], { stdin: `${PASSWORD}\n${NEW_PASSWORD}\n` });
    await imgup(['whoami'], { env: { IMGUP_TOKEN: record?.access_token } });
    world.clock.local += 3_600_000;
    await imgup(['upload', await world.picture()]);
    await imgup(['sessions']);
    await imgup(['logout', '--all']);
    expect(outcomes.filter(({ code }) => code === 0)).toEqual([]);
    expectNone(outcomes, [PASSWORD, NEW_PASSWORD, ...tokens]);
  });

  test.each([
    ['whole', (secret: string) => secret],
    ['in part', (secret: string) => (/^[\w.-]{40,}$/.test(secret) ? secret.slice(3, 40) : secret)],
  ])('when what was sent comes back %s, in the sentence, the code and the headers of a refusal', async (_what, cut) => {
    const world = await openWorld();
    const tokens = tokensOf(world);
    await world.imgup(['register', '--username', 'ada', '--password-stdin'], withPassword);
    const record = await world.record();
    const sent: string[] = [];
    world.network.way = async ({ headers, body }) => {
      const { password, current, refresh_token } = JSON.parse(typeof body === 'string' ? body : '{}') as Record<
        string,
        string
      >;
      const secret = cut(headers['authorization']?.slice(7) ?? password ?? current ?? refresh_token ?? '');
      sent.push(secret);
      const problem = { type: 'urn:x', title: secret, status: 400, detail: `You sent "${secret}".`, code: secret };
      return {
        status: 400,
        headers: { 'content-type': 'application/problem+json', 'x-echo': `it was ${secret}` },
        body: bodyOf(JSON.stringify(sent.length % 2 ? problem : { ...problem, code: 'invalid_request' })),
      };
    };
    const outcomes: Outcome[] = [];
    for (const more of [[], [], ['--json'], ['--debug'], ['--debug']]) {
      const imgup = async (args: string[], options: RunOptions = {}) =>
        outcomes.push(await world.imgup([...args, ...more], options));
      await imgup(login, withPassword);
      await imgup(['passwd', '--password-stdin'], { stdin: `${PASSWORD}\n${NEW_PASSWORD}\n` });
      await imgup(['whoami'], { env: { IMGUP_TOKEN: record?.access_token } });
      world.clock.local += 3_600_000;
      await imgup(['whoami']);
    }
    expect(outcomes.map(({ code }) => code)).not.toContain(0);
    expect(outcomes.some(({ stderr }) => stderr.includes('You sent'))).toBe(true);
    expect(new Set(sent).size).toBeGreaterThan(2);
    expectNone(outcomes, sent);
    expectNone(outcomes, tokens);
  });

  test('when the server or the keychain refuses', async () => {
    const world = await openWorld();
    const tokens = tokensOf(world);
    await world.imgup(['register', '--username', 'ada', '--password-stdin'], withPassword);
    const refused = new CredentialStoreError('write-refused', 'The keychain refuses', 'ask it why');
    const credentials = { ...world.credentials, setPassword: () => Promise.reject(refused) };
    const context = { credentials: async () => credentials };
    const outcomes = [
      await world.imgup([...login, '--debug'], { stdin: WRONG_PASSWORD }),
      await world.imgup([...login, '--debug'], { ...withPassword, context }),
      await world.imgup([...login, `--password=${PASSWORD}`]),
      await world.imgup([...login, '--json', `--token=${PASSWORD}`]),
      await world.imgup(['whoami', '--debug', '--server', `https://ada:${WRONG_PASSWORD.replaceAll(' ', '')}@x.test`]),
      await world.imgup(['passwd', '--password-stdin', '--debug'], { stdin: `${WRONG_PASSWORD}\n${NEW_PASSWORD}\n` }),
      await world.imgup(['whoami', '--debug'], { env: { IMGUP_TOKEN: `${[...tokens][0]} x` } }),
      await world.imgup(['whoami', '--debug'], { env: { IMGUP_TOKEN: `${[...tokens][0]}x` } }),
    ];
    expect(outcomes.filter(({ code }) => code === 0)).toEqual([]);
    const secrets = [PASSWORD, WRONG_PASSWORD, WRONG_PASSWORD.replaceAll(' ', ''), NEW_PASSWORD, ...tokens];
    expectNone(outcomes, secrets);
  });

  test.each(['http://ada:hunter2@127.0.0.1:1', 'http://ada:hunter2@', 'ada:hunter2@127.0.0.1:1', 'hunter2://x'])(
    'when the proxy %s does not work',
    async (proxy) => {
      const world = await openWorld();
      const context = { transport: async () => createUndiciTransport(proxy) };
      const args = [...login, '--server', 'https://img.example.org', '--debug'];
      const outcome = await world.imgup(args, { ...withPassword, context });
      expect(outcome.code).not.toBe(0);
      expect(outcome.stdout + outcome.stderr).not.toContain('hunter2');
    },
  );
});

async function half(request: TransportRequest, answer: Awaited<ReturnType<Transport>>) {
  const text = await readText(answer, request);
  return { ...answer, status: 200, body: bodyOf(text.slice(0, text.length - 5)) };
}
