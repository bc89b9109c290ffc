import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { compileCli, type CliProgram } from './cli-process.ts';
import { temporaryFolder } from './world.ts';

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
  child.stdin.write('the beginning of a picture');
  const outcome = Promise.all([once(child, 'exit'), text(child.stderr)]);
  await vi.waitFor(async () => expect(await readdir(join(folder, 'work'))).not.toEqual([]), 10_000);
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
