import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import * as nodeModule from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isThere, openTerminal, quoted } from './terminal.ts';
import { temporaryFolder } from './world.ts';

/** The program as `npm run build` makes it. */
const DIST = fileURLToPath(new URL('../dist/', import.meta.url));
const MAIN = join(DIST, 'main.cjs');
const PHOTO = fileURLToPath(new URL('../../../docs/photo.jpg', import.meta.url));
const run = promisify(execFile);

describe('the help that the build has made', () => {
  test('is what the program prints', async () => {
    const program = `require(${JSON.stringify(join(DIST, 'core.cjs'))}).start(['--help'])`;
    const { stdout: own } = await run(process.execPath, ['-e', program]);
    expect(own).toMatch(/^Usage: imgup /);
    for (const word of ['--help', '-h', 'help']) {
      expect(await run(process.execPath, [MAIN, word]), word).toEqual({ stdout: own, stderr: '' });
    }
  });

  test('needs no program', async () => {
    const folder = join(await temporaryFolder(), 'dist');
    await mkdir(folder);
    for (const name of ['main.cjs', 'help.txt']) await copyFile(join(DIST, name), join(folder, name));
    const { stdout } = await run(process.execPath, [join(folder, 'main.cjs'), '--help']);
    expect(stdout).toBe(await readFile(join(folder, 'help.txt'), 'utf8'));
    await expect(run(process.execPath, [join(folder, 'main.cjs'), 'whoami', '--help'])).rejects.toThrow('core.cjs');
  });

  test.runIf(isThere('tmux', '-V'))('is for terminals that are wide enough; for others it is wrapped', async () => {
    const command = `${quoted(process.execPath)} ${quoted(MAIN)} --help`;
    const show = async (columns: number) => {
      const terminal = await openTerminal({}, ['sh', '-c', `stty cols ${columns}; ${command}; sleep 60`]);
      await terminal.shows('130  interrupted');
      // As much of the end as it has rows for.
      return terminal.screen();
    };
    const help = await readFile(join(DIST, 'help.txt'), 'utf8');
    expect(help).toContain(await show(100));
    expect(help).not.toContain(await show(50));
  });
});

const { enableCompileCache } = nodeModule as { enableCompileCache?: unknown };

test.skipIf(enableCompileCache !== undefined)(
  'an upload keeps the compiled program in the folder of its user, and all commands run with it',
  async () => {
    const home = await temporaryFolder();
    const cache = join(home, 'cache', 'imgup', 'compiled');
    const env: NodeJS.ProcessEnv = {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^IMGUP_|^NODE_/.test(name))),
      XDG_CONFIG_HOME: join(home, 'config'),
      XDG_CACHE_HOME: join(home, 'cache'),
      IMGUP_CREDENTIAL_STORE: 'file',
    };
    env['IMGUP_SERVER'] = await serve(join(home, 'data'), env);
    await imgup(['register', '--username', 'ada', '--password-stdin'], env, 'a long enough secret\n');
    expect(await readdir(cache)).toEqual([]);

    const first = await imgup(['upload', PHOTO], env);
    const [name = ''] = await readdir(cache);
    expect(name).toMatch(/^core\.cjs-[0-9a-f]{32}\.v8$/);
    const kept = await readFile(join(cache, name));

    expect(await imgup(['upload', PHOTO], env)).toEqual(first);
    // These are modules of their own, which share the core's: what it throws is an error to them.
    expect(await imgup(['list', '--json'], env)).toMatchObject({ code: 0, stderr: '' });
    expect(await imgup(['show', 'nothing'], env)).toMatchObject({ code: 1 });
    expect(await imgup(['completion', 'bash'], env)).toMatchObject({ code: 0 });
    expect(await readFile(join(cache, name))).toEqual(kept);

    await writeFile(join(cache, name), kept.subarray(0, 1000));
    expect(await imgup(['upload', PHOTO], env)).toEqual(first);
    expect((await readFile(join(cache, name))).length).toBeGreaterThan(1000);
  },
  60_000,
);

async function imgup(args: string[], env: NodeJS.ProcessEnv, input = '') {
  const child = spawn(process.execPath, [MAIN, ...args], { env });
  child.stdin.end(input);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { code: code as number, stdout, stderr };
}

/** Runs `imgup serve` until the end of the test. */
async function serve(data: string, env: NodeJS.ProcessEnv): Promise<string> {
  const child = spawn(process.execPath, [MAIN, 'serve', '--port', '0', '--data', data], { env });
  onTestFinished(() => void child.kill('SIGKILL'));
  for await (const line of createInterface({ input: child.stderr })) {
    const [, url] = /^imgup is listening on (\S+)$/.exec(line) ?? [];
    if (url !== undefined) return url;
  }
  throw new Error('imgup serve ended');
}
