import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { readFile } from 'node:fs/promises';

/** @returns {string | null} why faults cannot be injected here */
export function straceMissing() {
  const works = spawnSync('strace', ['-f', '-qq', '-e', 'trace=none', 'true']).status === 0;
  return works ? null : 'there is no strace here that may trace';
}

/**
 * Makes system calls of a running process fail, until it is told to stop.
 *
 * @param {number} pid
 * @param {string} inject as strace's option has it: "fsync:error=EIO"
 */
export async function injectFault(pid, inject) {
  const calls = inject.split(':')[0] ?? '';
  const args = ['-f', '-qq', '-o', '/dev/null', '-e', `trace=${calls}`, '-e', `inject=${inject}`, '-p', `${pid}`];
  const strace = spawn('strace', args, { stdio: 'ignore' });
  const ended = once(strace, 'exit');
  // Traced once every thread is.
  while (strace.exitCode === null && /^TracerPid:\t0$/m.test(await readFile(`/proc/${pid}/status`, 'utf8'))) {
    await sleep(10);
  }
  await sleep(200);
  return {
    async stop() {
      strace.kill('SIGTERM');
      await ended;
    },
  };
}
