import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readConfig, startServer } from '@imgup/server';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { compileCli, type CliProgram } from './cli-process.ts';
import { PASSWORD, temporaryFolder, writePicture } from './world.ts';

const run = promisify(execFile);

const hasTmux = isThere('tmux');
if (!hasTmux) console.warn('skipped: a session in a real terminal; install tmux');

let program: CliProgram;
beforeAll(async () => {
  program = await compileCli();
});
afterAll(() => program.remove());

/** A shell in a terminal of 100 columns, in which `imgup` is a command. */
async function openTerminal(env: Record<string, string>) {
  const socket = join(await temporaryFolder(), 'tmux');
  const tmux = async (...args: string[]) => (await run('tmux', ['-S', socket, '-f', '/dev/null', ...args])).stdout;
  const variables = Object.entries({ PATH: process.env['PATH'], TERM: 'screen-256color', PS1: 'ready> ', ...env });
  const shell = ['env', '-i', ...variables.map(([name, value]) => `${name}=${value}`), 'sh'];
  await tmux('new-session', '-d', '-x', '100', '-y', '50', shell.map(quoted).join(' '));
  onTestFinished(() =>
    tmux('kill-server').then(
      () => undefined,
      () => undefined,
    ),
  );
  const screen = async () => (await tmux('capture-pane', '-p', '-J')).trimEnd();
  return {
    screen,
    type: (text: string) => tmux('send-keys', '-l', text),
    press: (key: string) => tmux('send-keys', key),
    shows: (what: string | RegExp) =>
      vi.waitFor(async () => expect(await screen()).toMatch(what), { timeout: 30_000, interval: 50 }),
  };
}

test.skipIf(!hasTmux)(
  'a person registers, uploads ten files through a limit, presses Ctrl-C, and goes on',
  { timeout: 120_000 },
  async () => {
    const folder = await temporaryFolder();
    const flags = { port: '0', data: join(folder, 'data'), 'min-free': '0', 'upload-limit': '4/8s' };
    const server = await startServer({ ...readConfig({ flags, env: {} }), passwordCost: 4 });
    onTestFinished(() => server.close());
    for (let number = 0; number < 10; number += 1) await writePicture(join(folder, `${number}.png`), number + 1);

    const { type, press, shows, screen } = await openTerminal({
      HOME: folder,
      XDG_CONFIG_HOME: join(folder, 'config'),
      IMGUP_CREDENTIAL_STORE: 'file',
      IMGUP_SERVER: server.url,
    });
    const enter = async (line: string) => {
      await type(line);
      await press('Enter');
    };
    await enter(`cd ${quoted(folder)}; imgup() { ${quoted(process.execPath)} ${quoted(program.main)} "$@"; }; clear`);
    await shows(/^ready> *$/);

    await enter('imgup register');
    await shows('Name');
    await enter('ada');
    await shows('Password of ada');
    await enter(PASSWORD);
    await shows('The same password again');
    await enter(PASSWORD);
    await shows('Registered and logged in');
    expect(await screen()).not.toContain(PASSWORD);

    await enter('clear; imgup upload *.png');
    await shows(/4 of 10 done, next in [1-8] s/);
    await shows(/8 of 10 done, next in [1-8] s/);
    await press('C-c');
    await shows(/imgup: Interrupted\. (\d+) of 10 uploaded; run the same command again for the rest\./);
    const interrupted = await screen();
    const first = links(interrupted);
    expect(interrupted).toContain(`${first.length} of 10 uploaded`);

    await enter('clear; imgup upload *.png; echo "exit code $?"');
    await shows('exit code 0');
    const finished = await screen();
    expect(links(finished)).toHaveLength(10);
    expect(links(finished).slice(0, first.length)).toEqual(first);
    // The line that turned is gone, and the cursor is back.
    expect(finished).not.toMatch(/next in|[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/);
    expect(finished).toContain(`${10 - first.length} pictures uploaded, ${first.length} there already.`);
  },
);

function links(screen: string): string[] {
  return screen.split('\n').filter((line) => /^http:\/\/\S+\.png$/.test(line));
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function isThere(command: string): boolean {
  try {
    execFileSync(command, ['-V'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
