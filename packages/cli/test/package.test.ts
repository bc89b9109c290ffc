import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { SERVICE } from '../src/credentials/credential-store.ts';
import { hasRadosgw, MISSING_RADOSGW, S3_CREDENTIALS, startRadosgw } from '../../../scripts/radosgw.js';
import { startPostgres, whyNoPostgres } from '../../server/test/postgres-server.js';
import { MISSING, startSecretService } from './secret-service.ts';

const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
const PHOTO = fileURLToPath(new URL('../../../docs/photo.jpg', import.meta.url));
const WINDOWS = process.platform === 'win32';

const noPostgres = await whyNoPostgres();
if (noPostgres !== null) console.warn(`skipped: ${noPostgres}`);

const secretService = await startSecretService();
if (!secretService) console.warn(`skipped: ${MISSING}`);
const hasS3 = hasRadosgw();
if (!hasS3) console.warn(`skipped: ${MISSING_RADOSGW}`);

let folder: string;
let packed: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imgup-package-'));
  const answer = JSON.parse(await npm('pack', '--json', '--pack-destination', folder)) as {
    filename: string;
    files: { path: string }[];
  }[];
  const [{ filename, files } = { filename: '', files: [] }] = answer;
  packed = files.map(({ path }) => path);
  const quietly = ['--prefer-offline', '--no-audit', '--no-fund'];
  await npm('install', '--global', '--prefix', join(folder, 'prefix'), ...quietly, join(folder, filename));
}, 180_000);

afterAll(async () => {
  await secretService?.stop();
  await rm(folder, { recursive: true, force: true });
});

test('the tarball holds the built program, its licences, and neither sources nor tests', () => {
  expect(packed).toContain('dist/main.cjs');
  expect(packed).toContain('dist/core.cjs');
  expect(packed).toContain('dist/keychain-child.cjs');
  expect(packed).toContain('dist/password-worker.js');
  expect(packed).toContain('dist/LICENSES.txt');
  expect(packed).toContain('dist/help.txt');
  const others = packed.filter((path) => !/^dist\/([\w.-]+\.c?js|LICENSES\.txt|help\.txt)$/.test(path));
  expect(others.filter((path) => path !== 'README.md')).toEqual(['package.json']);
});

test('the installed program knows its version and explains itself', async () => {
  const manifest = JSON.parse(await readFile(join(PACKAGE, 'package.json'), 'utf8')) as { version: string };
  const env = { ...process.env };
  expect(await imgup(['--version'], env)).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: '' });
  const help = await imgup(['--help'], env);
  expect(help.code).toBe(0);
  for (const command of ['serve', 'register', 'login', 'upload', 'logout', 'whoami', 'users']) {
    expect(help.stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
  }
});

test.skipIf(!secretService)(
  'a new user serves, registers, uploads and logs out, with the tokens in the keychain and in no file',
  async () => {
    if (!secretService) throw new Error(MISSING);
    const env = withoutImgup(secretService.env);
    const { origin, stop } = await serve(env);
    env['IMGUP_SERVER'] = origin;

    const registered = await imgup(
      ['register', '--username', 'ada', '--password-stdin'],
      env,
      'a long enough secret\n',
    );
    expect(registered).toMatchObject({ code: 0, stdout: '' });
    expect(await secretService.count(SERVICE)).toBe(1);

    const who = await imgup(['whoami', '--json'], env);
    expect(JSON.parse(who.stdout)).toMatchObject({ username: 'ada', server: origin, credential_store: 'keychain' });

    const uploaded = await imgup(['upload', PHOTO], env);
    expect(uploaded).toMatchObject({ code: 0, stderr: '' });
    expect(uploaded.stdout).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/i\/\S+\.jpg\n$/);
    const answer = await fetch(uploaded.stdout.trim());
    expect(sha256(Buffer.from(await answer.arrayBuffer()))).toBe(sha256(await readFile(PHOTO)));

    // What these load is bundled, too.
    for (const way of ['kitty', 'iterm2', 'sixel', 'blocks']) {
      expect(await imgup(['show', 'last', '--as', way], env), way).toMatchObject({ code: 0, stderr: '' });
    }
    expect(await imgup(['get', 'last', '-o', join(folder, 'got.jpg')], env)).toMatchObject({ code: 0, stderr: '' });
    expect(await imgup(['doctor'], env)).toMatchObject({ code: 0, stderr: '' });
    expect((await imgup(['completion', 'bash'], env)).stdout).toContain('imgup completion-server');

    const files = await readdir(env['HOME'] ?? '', { recursive: true });
    expect(files.filter((path) => path.endsWith('config.json'))).toHaveLength(1);
    expect(files.filter((path) => path.includes('credentials'))).toEqual([]);

    expect(await imgup(['logout'], env)).toMatchObject({ code: 0, stdout: '' });
    expect(await secretService.count(SERVICE)).toBe(0);
    expect(await imgup(['whoami'], env)).toMatchObject({ code: 4 });
    expect(await stop()).toBe(0);
  },
  60_000,
);

test.skipIf(noPostgres !== null)(
  'two servers share accounts in a database, which the installed program prepares, and say nothing of its password',
  async () => {
    const postgres = await startPostgres();
    onTestFinished(() => postgres.stop());
    const env: NodeJS.ProcessEnv = {
      ...withoutImgup(process.env),
      HOME: join(folder, 'home-of-two'),
      XDG_CONFIG_HOME: join(folder, 'home-of-two', 'config'),
      IMGUP_CREDENTIAL_STORE: 'file',
      IMGUP_ACCOUNTS: `${postgres.url}?sslmode=disable`,
    };
    const refused = await imgup(['serve', '--data', join(folder, 'no-secret')], env);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('IMGUP_SECRET') as string });
    env['IMGUP_SECRET'] = 'ab'.repeat(32);
    const [one, two] = await Promise.all([serve(env), serve(env)]);
    const credentials = ['--username', 'ada', '--password-stdin'];
    const at = (origin: string, args: string[], input?: string) => imgup([...args, '--server', origin], env, input);
    expect(await at(one.origin, ['register', ...credentials], 'a long enough secret\n')).toMatchObject({ code: 0 });
    expect(await at(two.origin, ['login', ...credentials], 'a long enough secret\n')).toMatchObject({ code: 0 });
    expect(await at(two.origin, ['upload', PHOTO])).toMatchObject({ code: 0 });
    expect([await one.stop(), await two.stop()]).toEqual([0, 0]);
    expect([...one.log, ...two.log].join('\n')).not.toMatch(/secret|warning/i);
  },
  60_000,
);

test.skipIf(!hasS3)(
  'the installed program keeps pictures on an S3 store, and says nothing of its own about it',
  async () => {
    const engine = await startRadosgw();
    onTestFinished(engine.stop);
    const home = await mkdtemp(join(folder, 'home-'));
    const env: NodeJS.ProcessEnv = {
      ...withoutImgup(process.env),
      ...S3_CREDENTIALS,
      HOME: home,
      XDG_CONFIG_HOME: home,
      IMGUP_CREDENTIAL_STORE: 'file',
      IMGUP_LOG_LEVEL: 'warn',
      IMGUP_IMAGES: engine.url(),
    };
    const { origin, stop, log } = await serve(env);
    env['IMGUP_SERVER'] = origin;
    const registered = await imgup(
      ['register', '--username', 'ada', '--password-stdin'],
      env,
      'a long enough secret\n',
    );
    expect(registered).toMatchObject({ code: 0 });
    const uploaded = await imgup(['upload', PHOTO], env);
    expect(uploaded).toMatchObject({ code: 0, stderr: '' });
    const answer = await fetch(uploaded.stdout.trim());
    expect(sha256(Buffer.from(await answer.arrayBuffer()))).toBe(sha256(await readFile(PHOTO)));
    expect(await imgup(['rm', 'last'], env)).toMatchObject({ code: 0 });
    expect(await stop()).toBe(0);
    expect(log).toEqual([`imgup is listening on ${origin}`]);
  },
  180_000,
);

test('only `serve` loads the server, and none but it the native libraries of the server', async () => {
  const home = join(folder, 'home');
  const env: NodeJS.ProcessEnv = {
    ...withoutImgup(process.env),
    HOME: home,
    XDG_CONFIG_HOME: join(home, 'config'),
    IMGUP_CREDENTIAL_STORE: 'file',
  };
  const serving = await loadedBy(env, async (traced) => {
    const { origin, stop } = await serve(traced);
    env['IMGUP_SERVER'] = origin;
    const commands: [args: string[], input?: string][] = [
      [['--help']],
      [['register', '--username', 'ada', '--password-stdin'], 'a long enough secret\n'],
      [['login', '--username', 'ada', '--password-stdin'], 'a long enough secret\n'],
      [['whoami']],
      [['users']],
      [['upload', PHOTO]],
      [['logout']],
    ];
    for (const [args, input] of commands) {
      const loaded = await loadedBy(env, async (alsoTraced) => {
        expect(await imgup(args, alsoTraced, input)).toMatchObject({ code: 0 });
      });
      expect(loaded, args[0]).not.toEqual([]);
      expect(await serverParts(loaded), args[0]).toEqual([]);
    }
    expect(await stop()).toBe(0);
  });
  // The same look at `serve` sees them, so it would have seen them above.
  const parts = await serverParts(serving);
  expect(parts).toContain('packages/server/src/compose.ts');
  expect(parts.filter((name) => name.includes('/postgres/'))).toEqual([]);
  expect(parts).toContain('sharp');
  expect(parts).toContain('tinypool');
  // The AWS SDK is for who asks for it.
  const forS3 = parts.filter((part) => part.includes('/adapters/s3/'));
  expect(forS3).toEqual(['packages/server/src/adapters/s3/s3-location.ts']);
}, 60_000);

/** What of the server is among files that a process has loaded: sources that the bundle names, and native libraries. */
async function serverParts(loaded: string[]): Promise<string[]> {
  const parts = new Set<string>();
  for (const path of loaded) {
    const [, library] = /node_modules\/(sharp|tinypool)\//.exec(path.replaceAll('\\', '/')) ?? [];
    if (library !== undefined) parts.add(library);
    // esbuild marks where each module of a bundle begins.
    const source = await readFile(path, 'utf8');
    for (const [, name = ''] of source.matchAll(/^\/\/ (packages\/server\/\S+)$/gm)) parts.add(name);
  }
  return [...parts];
}

/** The files that Node loads in the processes that `work` starts; V8 lists them when it is asked what ran. */
async function loadedBy(env: NodeJS.ProcessEnv, work: (traced: NodeJS.ProcessEnv) => Promise<void>): Promise<string[]> {
  const reports = await mkdtemp(join(folder, 'coverage-'));
  await work({ ...env, NODE_V8_COVERAGE: reports });
  const loaded = new Set<string>();
  for (const name of await readdir(reports)) {
    const { result } = JSON.parse(await readFile(join(reports, name), 'utf8')) as { result: { url: string }[] };
    for (const { url } of result) if (url.startsWith('file:')) loaded.add(fileURLToPath(url));
  }
  return [...loaded];
}

async function imgup(args: string[], env: NodeJS.ProcessEnv, input = '') {
  const child = spawn(...installed(args), { env, shell: WINDOWS });
  child.stdin.end(input);
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exitCode(child)]);
  return { code, stdout, stderr };
}

/** Runs `imgup serve` in a data folder of its own until `stop`, or the end of the test. */
async function serve(env: NodeJS.ProcessEnv) {
  const data = await mkdtemp(join(folder, 'data-'));
  const child = spawn(...installed(['serve', '--port', '0', '--data', data]), { env, shell: WINDOWS });
  const ended = exitCode(child);
  onTestFinished(() => void child.kill('SIGKILL'));
  const log: string[] = [];
  const origin = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      log.push(line);
      const [, url] = /^imgup is listening on (\S+)$/.exec(line) ?? [];
      if (url !== undefined) resolve(url);
    });
    void ended.then((code) => reject(new Error(`imgup serve ended with ${code}:\n${log.join('\n')}`)));
  });
  const stop = () => {
    child.kill('SIGTERM');
    return ended;
  };
  return { origin, stop, log };
}

function installed(args: string[]): [program: string, args: string[]] {
  const prefix = join(folder, 'prefix');
  return [WINDOWS ? join(prefix, 'imgup.cmd') : join(prefix, 'bin', 'imgup'), args];
}

async function exitCode(child: ChildProcess): Promise<number | null> {
  await once(child, 'exit');
  return child.exitCode;
}

async function npm(...args: string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('npm', args, { cwd: PACKAGE, shell: WINDOWS });
    return stdout;
  } catch (error) {
    const { stderr } = error as { stderr: string };
    const offline = /ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|ENOTCACHED/.test(stderr);
    const why = offline ? 'the npm registry cannot be reached, which this test needs' : stderr;
    throw new Error(`npm ${args[0]} failed: ${why}`, { cause: error });
  }
}

function withoutImgup(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('IMGUP_')));
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
