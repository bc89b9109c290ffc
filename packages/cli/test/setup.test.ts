import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CredentialStoreError } from '../src/credentials/credential-store-error.ts';
import { createMemoryStore } from '../src/credentials/memory.ts';
import { connectionCut, openWorld, PASSWORD, rewriting, SERVER, type World } from './world.ts';

const OTHER = 'https://img.example.org';

async function logIn(world: World, name: string, server?: string): Promise<void> {
  const args = ['login', '--username', name, '--password-stdin', ...(server === undefined ? [] : ['--server', server])];
  const { code, stderr } = await world.imgup(args, { stdin: `${PASSWORD}\n` });
  if (code !== 0) throw new Error(stderr);
}

/** Ada here and at another server, and Bob here; the last log-in was Ada's here. */
async function several(): Promise<World> {
  const world = await openWorld();
  await world.register('ada');
  await world.register('bob');
  await logIn(world, 'ada', OTHER);
  await logIn(world, 'ada', SERVER);
  world.requests.length = 0;
  return world;
}

describe('imgup accounts', () => {
  test('lists every log-in of this machine, and the one that is in use', async () => {
    const world = await several();
    const { code, stdout, stderr } = await world.imgup(['accounts']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe(
      'NAME  SERVER                   ENDS IF UNUSED (UTC)\n' +
        'ada   http://127.0.0.1:4747    2026-01-31 12:00      in use\n' +
        'bob   http://127.0.0.1:4747    2026-01-31 12:00\n' +
        'ada   https://img.example.org  2026-01-31 12:00\n',
    );
    // No server is asked, and so none need be there.
    expect(world.requests).toEqual([]);
    expect(JSON.parse((await world.imgup(['accounts', '--json'])).stdout)).toEqual({
      accounts: [
        { server: SERVER, username: 'ada', current: true, session_expires_at: '2026-01-31T12:00:00.000Z' },
        { server: SERVER, username: 'bob', current: false, session_expires_at: '2026-01-31T12:00:00.000Z' },
        { server: OTHER, username: 'ada', current: false, session_expires_at: '2026-01-31T12:00:00.000Z' },
      ],
    });
  });

  test('with none says how to get one', async () => {
    const world = await openWorld();
    expect(await world.imgup(['accounts'])).toEqual({ code: 0, stdout: '', stderr: '' });
    expect((await world.imgup(['accounts'], { terminal: true })).stderr).toContain('`imgup login`');
    expect((await world.imgup(['accounts'], { env: { IMGUP_TOKEN: 'x' } })).stderr).toContain('IMGUP_TOKEN is set');
  });
});

describe('imgup use', () => {
  const whoIs = async (world: World) => {
    const { username, server } = JSON.parse((await world.imgup(['whoami', '--json'])).stdout) as Record<string, string>;
    return `${username} ${server}`;
  };

  test('chooses another account here, another server, or both', async () => {
    const world = await several();
    expect(await world.imgup(['use', 'BOB'])).toEqual({
      code: 0,
      stdout: '',
      stderr: `Commands now act as bob at ${SERVER}.\n`,
    });
    expect(await whoIs(world)).toBe(`bob ${SERVER}`);
    expect(await world.imgup(['use', OTHER])).toMatchObject({ code: 0 });
    expect(await whoIs(world)).toBe(`ada ${OTHER}`);
    const both = await world.imgup(['use', SERVER, '--account', 'ada', '--json']);
    expect(JSON.parse(both.stdout)).toEqual({ server: SERVER, username: 'ada' });
    expect(await whoIs(world)).toBe(`ada ${SERVER}`);
    await world.imgup(['use', 'ada', '--server', OTHER]);
    expect(await whoIs(world)).toBe(`ada ${OTHER}`);
  });

  test.each([['carol'], ['https://elsewhere.example'], [OTHER, '--account', 'bob']])(
    'refuses %s %s %s, where nobody is logged in, and changes nothing',
    async (...args) => {
      const world = await several();
      const { code, stderr } = await world.imgup(['use', ...args]);
      expect(code).toBe(4);
      expect(stderr).toMatch(/^imgup: You are not logged in at .*; run `imgup login/);
      expect(await whoIs(world)).toBe(`ada ${SERVER}`);
    },
  );

  test('says which variable overrides the choice', async () => {
    const world = await several();
    const { stderr } = await world.imgup(['use', 'bob'], { env: { IMGUP_SERVER: SERVER } });
    expect(stderr).toContain('IMGUP_SERVER is set and overrides this');
  });

  test('refuses what is no address', async () => {
    const world = await several();
    expect(await world.imgup(['use', 'ftp://img.example.org'])).toMatchObject({ code: 2 });
  });
});

describe('imgup config', () => {
  test('lists, sets, gets and takes back', async () => {
    const world = await openWorld();
    expect((await world.imgup(['config', 'list'])).stdout).toMatch(/^NAME +VALUE +WHAT IT IS\nserver +- /);
    expect(await world.imgup(['config', 'get', 'expires'])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'imgup: expires is not set.\n',
    });
    expect(await world.imgup(['config', 'set', 'expires', '7d'])).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await world.imgup(['config', 'get', 'expires'])).toEqual({ code: 0, stdout: '7d\n', stderr: '' });
    await world.imgup(['config', 'set', 'copy', 'false']);
    expect(JSON.parse((await world.imgup(['config', 'list', '--json'])).stdout)).toEqual({
      server: null,
      'credential-store': null,
      format: null,
      expires: '7d',
      copy: 'false',
    });
    expect(JSON.parse((await world.imgup(['config', 'unset', 'expires', '--json'])).stdout)).toEqual({ expires: null });
    const path = join(world.folder, 'config', 'imgup', 'config.json');
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ accounts: {}, copy: false });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test.each([
    ['server', 'img.example.org'],
    ['server', 'https://ada:secret@img.example.org'],
    ['credential-store', 'cloud'],
    ['format', 'xml'],
    ['format', '{nothing}'],
    ['expires', '5m'],
    ['expires', 'soon'],
    ['copy', 'yes'],
    ['colour', 'red'],
  ])('set %s %s is wrong usage, and changes nothing', async (name, value) => {
    const world = await openWorld();
    const { code, stdout } = await world.imgup(['config', 'set', name, value]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    await expect(stat(join(world.folder, 'config', 'imgup', 'config.json'))).rejects.toThrow('ENOENT');
  });

  test('uploads follow what is set, and an option overrides it', async () => {
    const world = await openWorld();
    await world.register();
    await world.imgup(['config', 'set', 'format', 'markdown']);
    await world.imgup(['config', 'set', 'expires', '7d']);
    const expiry = async () =>
      (JSON.parse((await world.imgup(['show', 'last', '--json'])).stdout) as { expires_at: string | null }).expires_at;
    const { stdout } = await world.imgup(['upload', await world.picture('a.png', 1)]);
    expect(stdout).toMatch(/^!\[a\.png\]\(http/);
    expect(await expiry()).toBe('2026-01-08T12:00:00.000Z');

    world.clock.server += 1000;
    const args = ['upload', await world.picture('b.png', 2), '--format', 'url', '--expires', 'never'];
    expect((await world.imgup(args)).stdout).toMatch(/^http/);
    expect(await expiry()).toBeNull();

    await world.imgup(['config', 'set', 'format', 'json']);
    const json = await world.imgup(['upload', await world.picture('c.png', 3)]);
    expect(JSON.parse(json.stdout)).toMatchObject({ uploaded: 1 });
  });

  test('uploads print JSON where that is set, also where something fails', async () => {
    const world = await openWorld();
    await world.register();
    await world.imgup(['config', 'set', 'format', 'json']);
    const partly = await world.imgup(['upload', await world.picture(), 'none.png']);
    expect(JSON.parse(partly.stdout)).toMatchObject({ uploaded: 1, failed: 1, error: { exit_code: 3 } });
    const usage = await world.imgup(['upload']);
    expect(JSON.parse(usage.stdout)).toMatchObject({ error: { code: 'usage' } });
    expect(await world.imgup(['upload', 'none.png', '--format', 'url'])).toMatchObject({ code: 1, stdout: '' });
  });

  test.each([
    ['format', 'xml'],
    ['expires', 'soon'],
  ])('a bad %s that was written into the file is said to be there', async (name, value) => {
    const world = await openWorld();
    await world.register();
    const path = join(world.folder, 'config', 'imgup', 'config.json');
    await writeFile(path, JSON.stringify({ ...(JSON.parse(await readFile(path, 'utf8')) as object), [name]: value }));
    const { code, stderr } = await world.imgup(['upload', await world.picture()]);
    expect(code).toBe(2);
    expect(stderr).toContain(`imgup: ${name} in config.json is "${value}"`);
    expect(stderr).toContain(`\`imgup config unset ${name}\``);
  });

  test('a server that is set is used', async () => {
    const world = await openWorld();
    await world.imgup(['config', 'set', 'server', `${OTHER}/`]);
    expect((await world.imgup(['whoami'])).stderr).toContain(`not logged in at ${OTHER}`);
  });
});

describe('imgup doctor', () => {
  const checksOf = (stdout: string) =>
    Object.fromEntries(
      (JSON.parse(stdout) as { checks: { name: string; status: string; message: string }[] }).checks.map(
        ({ name, status, message }) => [name, `${status}: ${message}`],
      ),
    );

  test('finds that all is well', async () => {
    const world = await openWorld();
    await world.register();
    const { code, stdout, stderr } = await world.imgup(['doctor']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n').map((line) => line.split(/ +/).slice(0, 2).join(' '))).toEqual([
      ...['imgup', 'settings', 'server', 'proxy', 'version', 'clock', 'credentials', 'login', 'limit'].map(
        (name) => `ok ${name}`,
      ),
      '',
    ]);
    expect(checksOf((await world.imgup(['doctor', '--json'])).stdout)).toMatchObject({
      login: 'ok: ada, until 2026-01-31 12:00 UTC',
      limit: 'ok: 5 of 5 uploads left in 60 s',
      clock: "ok: this machine's agrees with the server's",
    });
  });

  test('finds a server that does not answer, and goes on with what it can', async () => {
    const world = await openWorld();
    world.network.way = (request) => Promise.reject(connectionCut(request));
    const { code, stdout, stderr } = await world.imgup(['doctor', '--json']);
    expect(code).toBe(1);
    expect(checksOf(stdout)).toMatchObject({
      server: `failed: Cannot reach ${SERVER}: the connection was cut. Try again.`,
      credentials: expect.stringMatching(/^ok/),
    });
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'checks_failed', exit_code: 1 } });
    expect(stderr).toMatch(/^imgup: 1 of \d checks failed; see above for what to do\.\n$/);
  });

  test('finds a clock that is wrong, an older server, and that nobody is logged in', async () => {
    const world = await openWorld();
    world.clock.local += 3 * 3_600_000;
    world.network.way = rewriting((text) => text.replace(/"version":"[^"]+"/, '"version":"9.9.9"'));
    const { code, stdout } = await world.imgup(['doctor', '--json']);
    expect(code).toBe(1);
    expect(checksOf(stdout)).toMatchObject({
      clock: expect.stringMatching(/^warning: this machine's is 3 h ahead of the server's; set the one that is wrong/),
      version: expect.stringMatching(/^warning: the server's is 9\.9\.9, and this is/),
      login: expect.stringMatching(/^failed: You are not logged in/),
    });
  });

  test('finds a limit that is used up, and a token from the environment', async () => {
    const world = await openWorld({ uploadLimit: { uploads: 1, windowMs: 60_000 } });
    await world.register();
    await world.imgup(['upload', await world.picture()]);
    const token = (await world.record())?.access_token ?? '';
    const { stdout } = await world.imgup(['doctor', '--json'], { env: { IMGUP_TOKEN: token } });
    expect(checksOf(stdout)).toMatchObject({
      limit: 'warning: 0 of 1 uploads left in 60 s',
      credentials: 'ok: IMGUP_TOKEN is used, and the stored log-ins are not',
    });
  });

  test('finds a store that fails, one that forgets, and settings that are damaged', async () => {
    const store = createMemoryStore();
    const locked = {
      ...store,
      setPassword: () => Promise.reject(new CredentialStoreError('locked', 'It is locked', 'unlock it')),
    };
    expect(
      checksOf((await (await openWorld({ credentials: locked })).imgup(['doctor', '--json'])).stdout),
    ).toMatchObject({
      credentials: expect.stringMatching(/^failed: It is locked; unlock it/),
    });
    const forgetful = { ...store, getPassword: () => Promise.resolve(null) };
    const world = await openWorld({ credentials: forgetful });
    expect(checksOf((await world.imgup(['doctor', '--json'])).stdout)).toMatchObject({
      credentials: expect.stringMatching(/^failed: What is stored does not come back/),
    });
    await world.imgup(['config', 'set', 'copy', 'true']);
    await writeFile(join(world.folder, 'config', 'imgup', 'config.json'), '{');
    expect(checksOf((await world.imgup(['doctor', '--json'])).stdout)).toMatchObject({
      settings: expect.stringMatching(/^failed: .*config\.json is not what imgup has written/),
    });
  });

  test('shows the proxy without its password', async () => {
    const world = await openWorld();
    const env = { https_proxy: 'http://joe:secret@proxy.example:3128' };
    const { stdout } = await world.imgup(['doctor', '--server', OTHER, '--json'], { env });
    expect(checksOf(stdout)).toMatchObject({ proxy: 'ok: http://proxy.example:3128 is used' });
    expect(stdout).not.toContain('secret');
  });
});
