import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compileCli, type CliProgram } from './cli-process.ts';
import { temporaryFolder } from './world.ts';

let program: CliProgram;
beforeAll(async () => {
  program = await compileCli();
});
afterAll(() => program.remove());

test('a command that waits for what never comes has exit code 1, and no other', async () => {
  const silent = `import fs from 'node:fs/promises'; const { readFile } = fs;
    fs.readFile = (path, ...more) =>
      String(path).endsWith('config.json') ? new Promise(() => undefined) : readFile(path, ...more);`;
  const sync = "import { syncBuiltinESMExports } from 'node:module'; syncBuiltinESMExports();";
  const env = {
    ...process.env,
    XDG_CONFIG_HOME: await temporaryFolder(),
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(silent + sync)}`,
  };
  expect(await program.start(['whoami'], env).ended).toMatchObject({ code: 1, stdout: '' });
});

test.runIf(process.platform === 'linux')('a full disk behind stdout is one sentence and exit code 1', async () => {
  for (const args of [[], ['--help'], ['--version']]) {
    const full = await open('/dev/full', 'w');
    const child = spawn(process.execPath, [program.main, ...args], { stdio: ['ignore', full.fd, 'pipe'] });
    const [[code], stderr] = await Promise.all([once(child, 'exit'), child.stderr === null ? '' : text(child.stderr)]);
    await full.close();
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'imgup: Standard output cannot be written to (ENOSPC); send it somewhere else.\n',
    });
  }
});

test.skipIf(process.platform === 'win32')('a disk that takes only the beginning is no success either', async () => {
  const cwd = await temporaryFolder();
  const script = 'ulimit -f 1; exec "$0" "$1" completion zsh > script';
  const child = spawn('sh', ['-c', script, process.execPath, program.main], { cwd });
  const [[code], stderr] = await Promise.all([once(child, 'exit'), text(child.stderr)]);
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: 'imgup: Standard output cannot be written to (EFBIG); send it somewhere else.\n',
  });
});

test.each([[['help']], [['help', 'upload']], [['upload', '--help']], [['-h']]])('%j is no failure', async (args) => {
  const outcome = await program.start(args, process.env).ended;
  expect(outcome).toMatchObject({ code: 0, stderr: '' });
  expect(outcome.stdout).toMatch(/^Usage: imgup/);
});
