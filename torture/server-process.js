import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { undoIfInterrupted } from './interruption.js';

const START = fileURLToPath(new URL('start-server.js', import.meta.url));

/**
 * @typedef {Awaited<ReturnType<typeof startServerProcess>>} ServerProcess
 *
 * @typedef {{
 *   settings?: object,
 *   wrap?: string[],
 *   nodeOptions?: string[],
 *   env?: NodeJS.ProcessEnv,
 * }} StartOptions
 *   `settings` go before those of start-server.js; `wrap` is a command that starts the one which follows it
 */

/**
 * The real built server in a process of its own.
 *
 * @param {string} data
 * @param {StartOptions} [options]
 */
export async function startServerProcess(data, { settings = {}, wrap = [], nodeOptions = [], env = {} } = {}) {
  const command = [...wrap, process.execPath, ...nodeOptions, START, JSON.stringify({ ...settings, data })];
  const child = spawn(command[0] ?? '', command.slice(1), {
    // The first ends with this process, and the server with it.
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const undone = undoIfInterrupted(() => child.kill('SIGKILL'));
  child.once('exit', undone);
  const exited = once(child, 'exit').then(([code, signal]) => ({
    code: /** @type {number | null} */ (code),
    signal: /** @type {NodeJS.Signals | null} */ (signal),
  }));
  const stderr = text(child.stderr);
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([once(lines, 'line'), exited.then(() => null)]);
  if (first === null) throw new Error(`the server did not start: ${await stderr}`);
  const { url, pid } = /** @type {{ url: string, pid: number }} */ (JSON.parse(String(first[0])));

  return {
    url,
    /** Of the server itself, however it was started. */
    pid,
    exited,
    stderr,

    /** @param {string} path @param {RequestInit} [init] */
    send: (path, init) => fetch(url + path, init),

    /** @param {NodeJS.Signals} signal */
    signal(signal) {
      process.kill(pid, signal);
    },

    async kill() {
      if (child.exitCode === null && child.signalCode === null) process.kill(pid, 'SIGKILL');
      await exited;
    },

    async stop() {
      if (child.exitCode === null && child.signalCode === null) process.kill(pid, 'SIGTERM');
      return exited;
    },
  };
}
