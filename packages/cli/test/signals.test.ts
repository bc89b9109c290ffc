import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { compileCli, type CliProgram } from './cli-process.ts';
import { PASSWORD, temporaryFolder, writePicture } from './world.ts';
import { eventually } from '../../server/test/eventually.ts';

let program: CliProgram;
beforeAll(async () => {
  program = await compileCli();
});
afterAll(() => program.remove());

/** Ends a command by a signal once its folder holds something. */
async function ended(args: string[], folder: string, signal: NodeJS.Signals) {
  const env = { ...process.env, HOME: folder, TMPDIR: join(folder, 'work') };
  const child = spawn(process.execPath, [program.main, ...args], { env });
  onTestFinished(() => void child.kill('SIGKILL'));
  child.stdin.write(Buffer.from('\x89PNG\r\n\x1a\nand so on', 'latin1'));
  const outcome = Promise.all([once(child, 'exit'), text(child.stderr)]);
  await eventually(async () => expect(await readdir(join(folder, 'work'))).not.toEqual([]));
  child.kill(signal);
  const [[code], stderr] = await outcome;
  return { code: code as number | null, stderr };
}

const SIGNALS = [
  ['SIGINT', 'imgup: Interrupted.\n'],
  ['SIGTERM', 'imgup: Asked to end (SIGTERM).\n'],
  ['SIGHUP', 'imgup: The terminal is gone (SIGHUP).\n'],
] as const;

test.each(SIGNALS)('%s leaves nothing of a picture that is being fetched', async (signal, stderr) => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'work'));
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'image/png', 'content-length': 1000 }).write('the beginning');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const args = ['get', `http://127.0.0.1:${port}/i/a/b.png`, '-o', join(folder, 'work', 'b.png')];
  expect(await ended(args, folder, signal)).toEqual({ code: 130, stderr });
  expect(await readdir(join(folder, 'work'))).toEqual([]);
});

test.each(SIGNALS)('%s leaves nothing of a picture that is read from stdin', async (signal, stderr) => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'work'));
  expect(await ended(['upload', '-'], folder, signal)).toEqual({ code: 130, stderr });
  expect(await readdir(join(folder, 'work'))).toEqual([]);
});

test.runIf(process.platform === 'linux')(
  'Ctrl-C ends the wait for a named pipe of --files-from that nobody writes to',
  async () => {
    const folder = await temporaryFolder();
    const list = join(folder, 'list');
    execFileSync('mkfifo', [list]);
    const { child, pid, ended } = program.start(['upload', '--files-from', list], { ...process.env, HOME: folder });
    onTestFinished(() => void child.kill('SIGKILL'));
    await eventually(async () => expect(await catchesHangUp(pid)).toBe(true));
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 130, stderr: 'imgup: Interrupted.\n' });
  },
);

/** Whether a process listens to signals yet: SIGHUP is the last that it takes up. */
async function catchesHangUp(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return /^SigCgt:.*[13579bdf]$/m.test(status);
}

/** A person's machine on which the server never answers, and the clipboard's program never ends; "asked" is made by either. */
async function hungMachine() {
  const folder = await temporaryFolder();
  const asked = join(folder, 'asked');
  const bin = join(folder, 'bin');
  await mkdir(bin);
  await writeFile(join(bin, 'xclip'), `#!/bin/sh\n: > '${asked}'\nsleep 600\n`, { mode: 0o755 });
  const server = createServer(() => void writeFile(asked, '')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const env = {
    PATH: [bin, process.env['PATH']].join(delimiter),
    HOME: folder,
    DISPLAY: ':9',
    IMGUP_SERVER: `http://127.0.0.1:${port}`,
    IMGUP_TOKEN: 'token',
    IMGUP_CREDENTIAL_STORE: 'file',
  };
  return { folder, asked, env };
}

const login = ['--username', 'ada', '--password-stdin'];

// The time of the test is far less than any after which it would have given up by itself.
test.each([
  ['upload', 'photo.png'],
  ['upload', '--from-clipboard'],
  ['list'],
  ['show', 'last'],
  ['get', 'last'],
  ['rm', 'last'],
  ['whoami'],
  ['sessions'],
  ['sessions', 'end', '--others'],
  ['passwd', '--password-stdin'],
  ['users'],
  ['users', 'rm', 'bob', '--yes'],
  ['keys'],
  ['keys', 'create', 'x'],
  ['keys', 'revoke', 'abcd'],
  ['integrate', 'curl'],
  ['doctor'],
  ['register', ...login],
  ['login', ...login],
])('Ctrl-C ends imgup %s %s at once where nothing answers', { timeout: 20_000 }, async (...args) => {
  const { folder, asked, env } = await hungMachine();
  await writePicture(join(folder, 'photo.png'));
  const stdin = `${PASSWORD}\n${PASSWORD}\n`;
  const { child, ended } = program.start([...args, '--json'], env, { stdin, cwd: folder });
  await eventually(() => access(asked));
  child.kill('SIGINT');
  const { code, stdout, stderr } = await ended;
  expect({ code, stderr }).toEqual({ code: 130, stderr: 'imgup: Interrupted.\n' });
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'interrupted', exit_code: 130 } });
});
