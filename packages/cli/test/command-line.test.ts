import { PassThrough, Readable, Writable } from 'node:stream';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { createContext } from '../src/context.ts';
import { createIo } from '../src/io.ts';
import { createProgram } from '../src/program.ts';
import { collector, openWorld, PASSWORD } from './world.ts';

/** Every command that help shows, as it is typed. */
function commands({ commands: below }: Command, before: string[] = []): string[][] {
  return below.flatMap((command) => {
    const path = [...before, command.name()];
    return [path, ...commands(command, path)];
  });
}

const COMMANDS = commands(createProgram(createContext())).filter(
  ([name, below]) => name !== 'completion-server' && below !== 'help',
);

describe('help', () => {
  test('imgup alone shows the commands that most people need', async () => {
    const { imgup } = await openWorld();
    const { code, stdout, stderr } = await imgup([]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.match(/^ {2}imgup \w+/gm)).toHaveLength(5);
  });

  test.each(COMMANDS.map((path) => path.join(' ')))('%s has a purpose, examples and exit codes', async (command) => {
    const { imgup } = await openWorld();
    const path = command.split(' ');
    const outcome = await imgup([...path, '--help']);
    expect(outcome).toMatchObject({ code: 0, stderr: '' });
    for (const part of ['Usage: imgup', 'Examples:', `imgup ${command}`, 'Exit codes:', '--server']) {
      expect(outcome.stdout).toContain(part);
    }
    expect(outcome.stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
    expect(outcome.stdout).toMatch(/^Usage: .*\n\n[A-Z][^\0]+?\./);
    expect((await imgup([...path.slice(0, -1), '--help'])).stdout).toMatch(
      new RegExp(String.raw`\n {2}${path.at(-1)}\b.* {2}[a-z]`),
    );
    expect(await imgup(['help', ...path])).toEqual(outcome);
    const [first = '', ...below] = path;
    if (below.length > 0) expect(await imgup([first, 'help', ...below])).toEqual(outcome);
  });

  test('--version prints the version alone', async () => {
    const { imgup } = await openWorld();
    expect(await imgup(['--version'])).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      stderr: '',
    });
  });
});

describe('wrong usage has exit code 2, and one sentence with the nearest that is right', () => {
  test.each([
    [['uplaod', 'x'], "Unknown command 'uplaod' (Did you mean upload?). See `imgup --help`."],
    [['login', '--usrname', 'x'], "Unknown option '--usrname' (Did you mean --username?). See `imgup login --help`."],
    [['whoami', '--srver', 'x'], "Unknown option '--srver' (Did you mean --server?). See `imgup whoami --help`."],
    [['watch'], "Missing required argument 'folder'. See `imgup watch --help`."],
    [['users', 'rm'], "Missing required argument 'name'. See `imgup users rm --help`."],
    [['users', 'rn', 'bob'], "Unknown command 'rn' (Did you mean rm?). See `imgup users --help`."],
    [
      ['sessions', 'end', '--other'],
      "Unknown option '--other' (Did you mean --others?). See `imgup sessions end --help`.",
    ],
    [['help', 'uplod'], "Unknown command 'uplod' (Did you mean upload?). See `imgup --help`."],
    [['help', 'config', 'sett'], "Unknown command 'sett' (Did you mean set?). See `imgup config --help`."],
    [['users', 'help', 'rn'], "Unknown command 'rn' (Did you mean rm?). See `imgup users --help`."],
    [['help', 'xyz'], "Unknown command 'xyz'. See `imgup --help`."],
    [
      ['completion', 'tcsh'],
      'The shell is "tcsh"; give one of bash, zsh, fish, powershell. See `imgup completion --help`.',
    ],
    [['login', '--password=a=secret b'], "Unknown option '--password'. See `imgup login --help`."],
    [['login', '--username'], "Option '--username <name>' argument missing. See `imgup login --help`."],
  ])('%j', async (args, sentence) => {
    const { imgup } = await openWorld();
    expect(await imgup(args)).toEqual({ code: 2, stdout: '', stderr: `imgup: ${sentence}\n` });
    const { code, stdout } = await imgup(['--json', ...args]);
    expect({ code, ...JSON.parse(stdout) }).toEqual({
      code: 2,
      error: { code: 'usage', message: sentence, exit_code: 2 },
    });
  });

  test('a variable that is wrong is named', async () => {
    const { imgup } = await openWorld();
    const outcome = await imgup(['whoami'], { env: { IMGUP_CREDENTIAL_STORE: 'cloud' } });
    expect(outcome).toMatchObject({ code: 2, stderr: expect.stringContaining('IMGUP_CREDENTIAL_STORE is "cloud"') });
  });
});

test('an option of every command may stand before it or after it', async () => {
  const world = await openWorld();
  await world.register('ada');
  const before = await world.imgup(['--json', '--account', 'ada', 'whoami']);
  expect(before).toMatchObject({ code: 0 });
  expect(await world.imgup(['whoami', '--account', 'ada', '--json'])).toEqual(before);
});

describe('--debug', () => {
  test('shows the conversation on stderr, and nothing that is secret', async () => {
    const world = await openWorld();
    const { stdin } = { stdin: PASSWORD };
    const args = ['register', '--username', 'ada', '--password-stdin', '--debug'];
    const { code, stdout, stderr } = await world.imgup(args, { stdin });
    const first = await world.record();
    world.clock.server += 3_600_000;
    const second = await world.imgup(['upload', await world.picture(), '--debug']);
    const after = await world.record();
    const third = await world.imgup(['logout', '--debug']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toContain('> POST http://127.0.0.1:4747/api/register\n');
    expect(stderr).toContain('> {"username":"ada","password":"[hidden]"');
    expect(second.stderr).toContain('> authorization: [hidden]\n');
    expect(second.stderr).toContain('< 401\n');
    expect(second.stdout).toMatch(/^http\S+\n$/);
    const shown = stderr + second.stderr + third.stderr;
    expect(first?.refresh_token).toBeTruthy();
    for (const secret of [
      PASSWORD,
      first?.access_token,
      first?.refresh_token,
      after?.access_token,
      after?.refresh_token,
    ]) {
      expect(shown).not.toContain(secret);
    }
  });

  test('is the only way to see a stack', async () => {
    const world = await openWorld();
    await world.register('ada');
    world.network.way = () => Promise.reject(new TypeError('a fault in the program'));
    const plain = await world.imgup(['whoami']);
    expect(plain).toEqual({
      code: 1,
      stdout: '',
      stderr: 'imgup: Unexpected failure: a fault in the program. Run it again with --debug for the details.\n',
    });
    const debugged = await world.imgup(['whoami', '--debug']);
    expect(debugged).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/TypeError: a fault .*\n\s*at /),
    });
  });
});

describe('the streams', () => {
  const failing = (code: string) =>
    new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error(code), { code })) });
  const stdin = Readable.from([]);

  test('a reader that has seen enough is no failure, and a full disk is one', async () => {
    const quiet = failing('EPIPE');
    const enough = createIo({ stdin, stdout: quiet, stderr: new PassThrough() });
    enough.print('a line');
    await enough.flush();
    const full = createIo({ stdin, stdout: failing('ENOSPC'), stderr: new PassThrough() });
    full.print('a line');
    await expect(full.flush()).rejects.toMatchObject({ code: 'stdout_unwritable', exitCode: 1 });
  });

  test('a terminal that has not been told its size is taken for a usual one', () => {
    const terminal = () => Object.assign(new PassThrough(), { isTTY: true, columns: 0, rows: 0 });
    const { stdout, stderr } = createIo({ stdin, stdout: terminal(), stderr: terminal() });
    for (const stream of [stdout, stderr]) expect(stream).toMatchObject({ columns: 80, rows: 24 });
  });

  test('a link that stdout does not take is shown on stderr', async () => {
    const world = await openWorld();
    await world.register();
    const stderr = collector(false);
    const io = createIo({ stdin, stdout: failing('ENOSPC'), stderr: stderr.stream });
    expect(await world.imgup(['upload', await world.picture()], { context: { io } })).toMatchObject({ code: 1 });
    expect(stderr.text()).toMatch(
      /^http:\S+\.png\nimgup: Standard output cannot be written to \(ENOSPC\); send it somewhere else\.\n$/,
    );
  });

  test.each(['print', 'note'] as const)('%s keeps whatever it is given on one line, and harmless', (method) => {
    const stdout = collector(false);
    const stderr = collector(false);
    const io = createIo({ stdin, stdout: stdout.stream, stderr: stderr.stream });
    io[method]('a\u001b[2Jb\u001b]0;title\u0007c\nd\u009b1me\u202ef\u0008');
    expect(stdout.text() + stderr.text()).toBe('abc def\n');
  });
});
