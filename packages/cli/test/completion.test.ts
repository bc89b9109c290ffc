import { execFile } from 'node:child_process';
import { access, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { readConfig } from '@imgup/server';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { completionValues } from '../src/completion-values.ts';
import { compileCli, type CliProgram } from './cli-process.ts';
import { isThere, openTerminal, quoted } from './terminal.ts';
import { openWorld, SERVER, temporaryFolder, writePicture } from './world.ts';

const run = promisify(execFile);

/** What the Tab key offers at the end of a line, as zsh is told it. */
async function offered(line: string): Promise<string[]> {
  const { imgup } = await openWorld();
  const words = line.split(' ');
  const env = { SHELL: 'zsh', COMP_CWORD: `${words.length - 1}`, COMP_LINE: line, COMP_POINT: `${line.length}` };
  const { code, stdout, stderr } = await imgup(['completion-server', '--', ...words], { env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.split('\n').slice(0, -1);
}

const FILES = ['__tabtab_complete_files__'];

test('the servers and accounts of this machine are offered', async () => {
  const { imgup, register } = await openWorld();
  await register('ada');
  const env = { SHELL: 'zsh', COMP_LINE: '' };
  const offer = async (...words: string[]) =>
    (await imgup(['completion-server', '--', 'imgup', ...words], { env: { ...env, COMP_CWORD: `${words.length}` } }))
      .stdout;
  const server = SERVER.replaceAll(':', String.raw`\:`);
  expect(await offer('use', '')).toBe(`ada\n${server}\n`);
  expect(await offer('list', '--account', '')).toBe('ada\n');
  expect(await offer('list', '--server', 'http')).toBe(`${server}\n`);
});

test('every value that is offered for `serve` is one that it takes', () => {
  const { ofOption } = completionValues({ accounts: {} });
  for (const option of ['log-level', 'registration', 'verify'] as const) {
    expect(ofOption(option)).not.toEqual([]);
    for (const value of ofOption(option))
      expect(() => readConfig({ flags: { [option]: value }, env: {} })).not.toThrow();
  }
});

describe('what is offered', () => {
  test.each<[line: string, offer: string[]]>([
    ['imgup upl', ['upload:put pictures on the server']],
    ['imgup users ', ['list:as `imgup users` alone', 'rm:remove an account and its pictures']],
    ['imgup --server x sessions e', ['end:end one session, or all others']],
    ['imgup upload ', FILES],
    ['imgup upload a.png b', FILES],
    ['imgup upload --files-from ', FILES],
    ['imgup upload --format ', ['url', 'markdown', 'html', 'bbcode', 'json']],
    ['imgup watch in --format m', ['markdown']],
    ['imgup upload --expires ', ['1h', '1d', '7d', '30d', 'never']],
    ['imgup upload --name ', []],
    ['imgup show last --as ', ['kitty', 'iterm2', 'sixel', 'blocks']],
    ['imgup show ', ['last']],
    ['imgup get last la', ['last']],
    ['imgup get --width 1', ['160', '1280']],
    ['imgup serve --registration ', ['open', 'closed']],
    ['imgup serve --verify ', ['full', 'header']],
    ['imgup serve --log-level ', ['debug', 'info', 'warn', 'error', 'silent']],
    ['imgup serve --secret-file ', FILES],
    ['imgup config get ', ['server', 'credential-store', 'format', 'expires', 'copy']],
    ['imgup config unset ex', ['expires']],
    ['imgup config set format ', ['url', 'markdown', 'html', 'bbcode', 'json']],
    ['imgup config set copy ', ['true', 'false']],
    ['imgup config set credential-store k', ['keychain']],
    ['imgup config set nonsense ', []],
    ['imgup keys create ', []],
    ['imgup help comp', ['completion:make the Tab key complete commands and options']],
    ['imgup help config g', ['get:print one setting']],
    ['imgup users help r', ['rm:remove an account and its pictures']],
    [
      'imgup upload --files',
      ['--files-from:also the files that a file (16 MB at most) names, a line each; "-" for stdin'],
    ],
    ['imgup get last --output ', FILES],
    ['imgup completion f', ['fish']],
    ['imgup whoami ', []],
    ['imgup nonsense ', []],
    ['imgup completion-serv', []],
  ])('%s', async (line, offer) => {
    expect(await offered(line)).toEqual(offer);
  });

  test('global options after a command', async () => {
    expect(await offered('imgup rm --')).toEqual(
      expect.arrayContaining([expect.stringMatching(/^--server:the server/)]),
    );
  });
});

test('a shell that there is no script for is wrong usage', async () => {
  const { imgup } = await openWorld();
  const { code, stdout, stderr } = await imgup(['completion', 'tcsh']);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain('give one of bash, zsh, fish, powershell');
});

test('the script for PowerShell registers a completer for imgup', async () => {
  const { imgup } = await openWorld();
  const { stdout } = await imgup(['completion', 'powershell']);
  expect(stdout).toContain("Register-ArgumentCompleter -CommandName 'imgup'");
  expect(stdout).not.toContain('{pkgname}');
});

const hasTmux = isThere('tmux', '-V');
const shells = ['bash', 'zsh', 'fish'].filter((shell) => {
  const there = hasTmux && isThere(shell);
  if (!there) console.warn(`skipped: completion in ${shell}; install tmux and ${shell}`);
  return there;
});

describe.runIf(shells.length > 0)('the Tab key in a real shell', { timeout: 60_000 }, () => {
  let program: CliProgram;
  beforeAll(async () => {
    program = await compileCli();
  });
  afterAll(() => program.remove());

  test.each(shells)('%s', async (shell) => {
    const folder = await temporaryFolder();
    const bin = join(folder, 'bin');
    await mkdir(bin);
    await writeFile(join(bin, 'imgup'), `#!/bin/sh\nexec '${process.execPath}' '${program.main}' "$@"\n`, {
      mode: 0o755,
    });
    await mkdir(join(folder, 'pictures'));
    await writePicture(join(folder, 'pictures', 'holiday.png'));
    const env = {
      HOME: folder,
      PATH: [bin, process.env['PATH']].join(delimiter),
      XDG_CONFIG_HOME: join(folder, 'config'),
    };
    const { stdout: script } = await run('imgup', ['completion', shell], { env });
    const start = await startOf(shell, script, folder);

    const { type, press, shows } = await openTerminal(env, [
      'sh',
      '-c',
      `cd ${quoted(join(folder, 'pictures'))} && exec ${start}`,
    ]);
    await shows('ready>');
    await type('imgup upl');
    await press('Tab');
    await shows(/ready> imgup upload/);
    await type(' --keep');
    await press('Tab');
    await shows(/ready> imgup upload +--keep-metadata/);
    await type(' hol');
    await press('Tab');
    await shows(/ready> imgup upload +--keep-metadata +holiday\.png/);
    // What has been typed is completed, and never run.
    await press('C-u');
    await type('imgup upload "; touch ran" "$(touch ran)" --keep');
    await press('Tab');
    await shows(/ran\)" --keep-metadata/);
    await expect(access(join(folder, 'pictures', 'ran'))).rejects.toThrow('ENOENT');
  });

  /** The command that starts the shell with the script in place, as the help says to put it there. */
  async function startOf(shell: string, script: string, folder: string): Promise<string> {
    if (shell === 'bash') {
      await writeFile(join(folder, '.bashrc'), "PS1='ready> '\nsource <(imgup completion bash)\n");
      return `bash --rcfile '${join(folder, '.bashrc')}' -i`;
    }
    if (shell === 'zsh') {
      const lines = ["PS1='ready> '", 'autoload -U compinit; compinit -u', 'source <(imgup completion zsh)'];
      await writeFile(join(folder, '.zshrc'), `${lines.join('\n')}\n`);
      return 'zsh -i';
    }
    const completions = join(folder, 'config', 'fish', 'completions');
    await mkdir(completions, { recursive: true });
    await writeFile(join(completions, 'imgup.fish'), script);
    // Where this is absent fish fills it in the background, and goes on when the terminal is gone.
    await mkdir(join(folder, '.local', 'share', 'fish', 'generated_completions'), { recursive: true });
    return `fish -i -C "function fish_prompt; echo 'ready> '; end"`;
  }
});
