import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createNodeTransport } from '../src/api/node-transport.ts';
import { createContext } from '../src/context.ts';
import { createIo } from '../src/io.ts';
import { createProgram } from '../src/program.ts';
import { run } from '../src/run.ts';
import { collector, openWorld, PASSWORD, temporaryFolder, writePicture, type Outcome } from './world.ts';

/** `imgup serve` with these options, until `stop`. */
async function serving(args: string[], env: NodeJS.ProcessEnv = {}) {
  const stdout = collector(false);
  const stderr = collector(false);
  let stop = () => {};
  const stopped = new Promise<void>((resolve) => (stop = resolve));
  const io = createIo({ stdin: Readable.from([]), stdout: stdout.stream, stderr: stderr.stream });
  const ended = run(['serve', ...args], createContext({ env, io, stopRequested: () => stopped }));
  onTestFinished(async () => {
    stop();
    await ended;
  });
  const listening = new Promise<void>((resolve) => {
    stderr.stream.on('data', () => {
      if (stderr.text().includes('imgup is listening on ')) resolve();
    });
  });
  await Promise.race([listening, ended]);
  return {
    url: /imgup is listening on (\S+)/.exec(stderr.text())?.[1] ?? '',
    stop: async (): Promise<Outcome> => {
      stop();
      return { code: await ended, stdout: stdout.text(), stderr: stderr.text() };
    },
  };
}

test('says where it listens, serves the whole of the client, and ends with 0 when asked to', async () => {
  const data = await temporaryFolder();
  const server = await serving(['--port', '0', '--data', data, '--log-level', 'silent']);
  const person = await openWorld();
  const overHttp = { transport: async () => createNodeTransport() };
  const imgup = (args: string[], stdin = '') =>
    person.imgup([...args, '--server', server.url], { stdin, context: overHttp });

  expect(await imgup(['register', '--username', 'ada', '--password-stdin'], PASSWORD)).toMatchObject({ code: 0 });
  expect(await imgup(['whoami'])).toMatchObject({ code: 0 });
  const uploaded = await imgup(['upload', await person.picture()]);
  expect(uploaded).toEqual({ code: 0, stdout: expect.stringContaining(`${server.url}/i/`), stderr: '' });
  expect((await fetch(uploaded.stdout.trim())).status).toBe(200);
  expect(await imgup(['users'])).toMatchObject({ code: 0 });
  expect(await imgup(['logout'])).toMatchObject({ code: 0 });

  expect(await server.stop()).toEqual({ code: 0, stdout: '', stderr: `imgup is listening on ${server.url}\n` });
  expect(await imgup(['login', '--username', 'ada', '--password-stdin'], PASSWORD)).toEqual({
    code: 7,
    stdout: '',
    stderr: `imgup: Cannot reach ${server.url}: connection refused. Start a server with \`imgup serve\`, or choose another with --server.\n`,
  });
});

test('--json puts the address on stdout', async () => {
  const server = await serving(['--port', '0', '--data', await temporaryFolder(), '--log-level', 'silent', '--json']);
  const { code, stdout } = await server.stop();
  expect({ code, ...JSON.parse(stdout) }).toEqual({ code: 0, url: server.url });
});

test('keeps everything where this system keeps data, for this person only', async () => {
  const home = await temporaryFolder();
  const server = await serving(['--port', '0'], { XDG_DATA_HOME: home, IMGUP_LOG_LEVEL: 'silent' });
  expect((await stat(join(home, 'imgup'))).mode & 0o777).toBe(0o700);
  expect(await server.stop()).toMatchObject({ code: 0 });
});

/** The options of `imgup serve` that cannot be just anything. */
const CHECKED = createProgram(createContext())
  .commands.find((command) => command.name() === 'serve')
  ?.options.map((option) => option.name())
  .filter((name) => !['host', 'data', 'secret-file'].includes(name));

test.each(CHECKED ?? [])('--%s reaches the server, which says what is wrong with it', async (name) => {
  const server = await serving(['--data', await temporaryFolder(), '--port', '0', `--${name}`, 'nonsense!']);
  const { code, stderr } = await server.stop();
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(`--${name} must be `) });
});

describe('a server that cannot start says why in one sentence', () => {
  const outcome = async (args: string[], env: NodeJS.ProcessEnv = {}) => (await serving(args, env)).stop();

  test('because the port is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    const args = ['--port', String(port), '--data', await temporaryFolder()];
    expect(await outcome(args)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^imgup: Port \d+ .* in use.*--port\.\n$/),
    });
  });

  test('because another server holds the data folder', async () => {
    const args = ['--port', '0', '--data', await temporaryFolder(), '--log-level', 'silent'];
    await serving(args);
    const { code, stderr } = await outcome(args);
    expect({ code, lines: stderr.trimEnd().split('\n').length }).toEqual({ code: 1, lines: 1 });
  });

  test.each([
    ['an option', ['--port', 'http'], {}, '--port'],
    ['a limit of log-ins', ['--login-limit', 'many'], {}, '--login-limit'],
    ['a proxy', ['--trust-proxy', 'everyone'], {}, '--trust-proxy'],
    ['a reserve', ['--min-free', 'some'], {}, '--min-free'],
    ['a variable', [], { IMGUP_UPLOAD_LIMIT: 'many' }, 'IMGUP_UPLOAD_LIMIT'],
  ])('because %s is wrong, which is wrong usage', async (_what, args, env, name) => {
    const { code, stderr } = await outcome([...args, '--data', await temporaryFolder()], env);
    expect(code).toBe(2);
    expect(stderr).toContain(name);
  });
});

test('two people on one machine do not disturb each other', async () => {
  const server = await serving([
    '--port',
    '0',
    '--data',
    await temporaryFolder(),
    '--log-level',
    'silent',
    '--upload-limit',
    '1/min',
  ]);
  const folder = await temporaryFolder();
  const [first, second] = [await writePicture(join(folder, 'a.png'), 1), await writePicture(join(folder, 'b.png'), 2)];
  for (const name of ['ada', 'bob']) {
    const person = await openWorld();
    const context = { transport: async () => createNodeTransport() };
    const imgup = (args: string[], stdin = '') => person.imgup([...args, '--server', server.url], { stdin, context });
    await imgup(['register', '--username', name, '--password-stdin'], PASSWORD);
    expect(await imgup(['upload', first])).toMatchObject({ code: 0 });
    expect(await imgup(['upload', second, '--no-wait'])).toMatchObject({ code: 6 });
  }
});
