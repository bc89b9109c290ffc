import { describe, expect, test } from 'vitest';
import { proxyFor } from '../src/api/proxy.ts';
import { createUndiciTransport } from '../src/api/undici-transport.ts';
import { createContext } from '../src/context.ts';
import { parseOrigin } from '../src/api/server-origin.ts';
import { openWorld, PASSWORD, type World } from './world.ts';

describe('the address of a server', () => {
  test.each([
    ['https://img.example.org', 'https://img.example.org'],
    ['HTTPS://IMG.Example.org:443/', 'https://img.example.org'],
    ['http://[::1]:4747', 'http://[::1]:4747'],
  ])('%s is kept as %s', (address, origin) => {
    expect(parseOrigin(address, '--server')).toBe(origin);
  });

  test.each([
    ['img.example.org', 'is not the address of a server'],
    ['img.example.org:4747', 'is not the address of a server'],
    ['ftp://img.example.org', 'is not the address of a server'],
    ['ada:secret@img.example.org', '"[hidden]@img.example.org" in --server is not the address'],
    ['ftp://ada:sec@secret@img.example.org', '"ftp://[hidden]@img.example.org" in --server is not the address'],
    ['https://ada:secret@img.example.org', 'must not hold a name or a password'],
    ['https://img.example.org/imgup', 'must end after the host'],
    ['https://img.example.org/?a=b', 'must end after the host'],
  ])('%s is wrong usage', async (address, sentence) => {
    const world = await openWorld();
    const outcome = await world.imgup(['whoami', '--server', address]);
    expect(outcome).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(sentence) });
    expect(outcome.stderr).not.toContain('secret');
    expect(world.asked()).toEqual([]);
  });

  test('comes from --server, then IMGUP_SERVER, then the last login, then this machine', async () => {
    const world = await openWorld();
    const register = (name: string, ...more: string[]) => world.register(name, more);
    await register('ada');
    await register('bob', '--server', 'https://remembered.test');
    const asked = async (args: string[], env: NodeJS.ProcessEnv) => {
      await world.imgup(['login', '--username', 'bob', '--password-stdin', ...args], { env, stdin: PASSWORD });
      return world.requests.splice(0)[0]?.url.origin;
    };
    const env = { IMGUP_SERVER: 'https://environment.test' };
    expect(await asked(['--server', 'https://remembered.test'], env)).toBe('https://remembered.test');
    expect(await asked([], env)).toBe('https://environment.test');
    expect(await asked([], {})).toBe('https://remembered.test');
  });
});

describe('credentials', () => {
  test.each([['http://img.example.org'], ['http://192.168.1.5:4747'], ['http://127.0.0.1.example.org']])(
    'are not sent to %s, unless the person insists',
    async (server) => {
      const world = await openWorld();
      const login = ['login', '--server', server, '--username', 'ada', '--password-stdin'];
      const refused = await world.imgup(login, { stdin: PASSWORD });
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('--insecure-http') });
      expect(world.asked()).toEqual([]);
      expect(await world.imgup([...login, '--insecure-http'], { stdin: PASSWORD })).toMatchObject({ code: 4 });
      expect(world.asked()).toEqual(['POST /api/login']);
    },
  );

  test('go to the origin that they were made for, and to no other', async () => {
    const world = await openWorld();
    await world.register('ada');
    expect(await world.imgup(['whoami', '--server', 'https://other.test'])).toEqual({
      code: 4,
      stdout: '',
      stderr: 'imgup: You are not logged in at https://other.test; run `imgup login --server https://other.test`.\n',
    });
    expect(await world.imgup(['whoami', '--account', 'ada', '--server', 'http://127.0.0.1:4748'])).toMatchObject({
      code: 4,
    });
    expect(world.asked()).toEqual([]);
  });

  test('do not follow a redirect, which is an error that names the other server', async () => {
    const world = await openWorld();
    await world.register('ada');
    const redirect = (location: string) => {
      world.network.way = async () => ({ status: 308, headers: { location }, body: (async function* () {})() });
      return world.imgup(['whoami']);
    };
    expect(await redirect('https://other.test/api/me?x=\u001b[2J')).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'imgup: http://127.0.0.1:4747 sends requests on to https://other.test; if you trust it, use --server https://other.test.\n',
    });
    expect(world.asked()).toEqual(['GET /api/me']);
    expect(await redirect('/login')).toMatchObject({ code: 1, stderr: expect.stringContaining('check --server') });
  });
});

describe('what is no imgup server', () => {
  const answering = (world: World, status: number, type: string, text: string) => {
    world.network.way = async () => ({
      status,
      headers: { 'content-type': type },
      body: (async function* () {
        yield Buffer.from(text);
      })(),
    });
  };

  test.each([
    ['a web page', 200, 'text/html', '<p>Welcome', 1, 'does not answer as an imgup server does (HTTP 200, text/html)'],
    ['JSON of something else', 200, 'application/json', '{"user":1}', 1, 'does not answer as an imgup server'],
    ['a proxy without its server', 502, 'text/html', '<p>Bad gateway', 7, 'the proxy in front of it answers 502'],
    [
      'a code of a newer server',
      403,
      'application/problem+json',
      JSON.stringify({ type: 'a', title: 'b', status: 403, detail: 'Pay \u001b[31mfirst.', code: 'payment_due' }),
      1,
      'imgup: Pay first.\n',
    ],
  ])('%s is one sentence', async (_what, status, type, text, code, sentence) => {
    const world = await openWorld();
    await world.register('ada');
    answering(world, status, type, text);
    const outcome = await world.imgup(['whoami']);
    expect(outcome).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(sentence) });
    expect(outcome.stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  test('a page where nothing was to be answered is not taken for a yes', async () => {
    const world = await openWorld();
    await world.register('ada');
    answering(world, 200, 'text/html', '<p>Welcome');
    const stdin = `${PASSWORD}\nanother long enough secret\n`;
    for (const args of [['passwd', '--password-stdin'], ['users', 'rm', 'bob', '--yes'], ['logout']]) {
      const outcome = await world.imgup(args, { stdin });
      expect(outcome).toMatchObject({ code: 1, stderr: expect.stringContaining('does not answer as an imgup server') });
    }
  });

  test("a proxy's own limit on a body is the picture's fault", async () => {
    const world = await openWorld();
    await world.register('ada');
    answering(world, 413, 'text/html', '<p>Request Entity Too Large');
    const outcome = await world.imgup(['upload', await world.picture()]);
    expect(outcome).toMatchObject({ code: 5, stderr: expect.stringContaining('A proxy in front of') });
  });
});

describe('a proxy', () => {
  const all = { http: 'http://p:1', https: 'p:2', all: 'socks5://p:3', no: undefined };

  test('is the one for the scheme, else the one for all', () => {
    expect(proxyFor('http://img.test', all)).toBe('http://p:1');
    expect(proxyFor('https://img.test', all)).toBe('http://p:2');
    expect(proxyFor('https://img.test', { ...all, https: undefined })).toBe('socks5://p:3');
    expect(proxyFor('https://img.test', { ...all, https: undefined, all: undefined })).toBeNull();
  });

  test.each([
    ['https_proxy', { https_proxy: 'http://joe:hunter2@bad host:1' }],
    ['https_proxy', { HTTPS_PROXY: 'ftp://joe:hunter2@proxy.test' }],
    ['https_proxy', { https_proxy: 'http://joe:hunter2%@proxy.test' }],
    ['all_proxy', { all_proxy: 'hunter2://' }],
  ])('that is none is wrong usage of %s, whose value is not shown', async (variable, env) => {
    const world = await openWorld();
    const args = ['login', '--username', 'ada', '--password-stdin', '--server', 'https://img.example.org', '--debug'];
    const proxy = createContext({ env }).config().proxy;
    const transport = async (origin: string) => createUndiciTransport(proxyFor(origin, proxy) ?? '');
    const outcome = await world.imgup(args, { stdin: PASSWORD, context: { transport } });
    expect(outcome).toMatchObject({ code: 2, stdout: '' });
    expect(outcome.stderr).toContain(`imgup: ${variable} does not hold the address of a proxy; write it like http://`);
    expect(outcome.stderr).not.toContain('hunter2');
  });

  test('that cannot be reached is named, without its password', async () => {
    const world = await openWorld();
    const args = ['login', '--username', 'ada', '--password-stdin', '--server', 'https://img.example.org'];
    const context = { transport: async () => createUndiciTransport('http://joe:hunter2@127.0.0.1:1') };
    expect(await world.imgup(args, { stdin: PASSWORD, context })).toEqual({
      code: 7,
      stdout: '',
      stderr:
        'imgup: Cannot reach https://img.example.org through the proxy http://127.0.0.1:1: connection refused. ' +
        'Check the proxy, which http_proxy, https_proxy or all_proxy names, or except the server in no_proxy.\n',
    });
  });

  test('is never used for this machine', () => {
    expect(proxyFor('http://img.localhost', all)).not.toBeNull();
    for (const host of ['127.0.0.1', '127.8.8.8', 'localhost', '[::1]']) {
      expect(proxyFor(`http://${host}:4747`, all)).toBeNull();
    }
  });

  test('is not used for what NO_PROXY names', () => {
    const used = (no: string) => proxyFor('https://img.example.org', { ...all, no }) !== null;
    for (const no of ['*', 'img.example.org', 'a, .example.org', 'a example.org', '*.example.org', 'example.org:443']) {
      expect([no, used(no)]).toEqual([no, false]);
    }
    for (const no of ['', 'mg.example.org', 'example.org:8443', 'org.example'])
      expect([no, used(no)]).toEqual([no, true]);
  });
});
