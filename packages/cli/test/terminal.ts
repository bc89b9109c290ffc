import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, vi } from 'vitest';
import { temporaryFolder } from './world.ts';

const run = promisify(execFile);

/** A shell in a real terminal of 100 columns, which is tmux's. */
export async function openTerminal(env: Record<string, string>, program = ['sh']) {
  const socket = join(await temporaryFolder(), 'tmux');
  const tmux = async (...args: string[]) => (await run('tmux', ['-S', socket, '-f', '/dev/null', ...args])).stdout;
  const variables = Object.entries({ PATH: process.env['PATH'], TERM: 'screen-256color', PS1: 'ready> ', ...env });
  const shell = ['env', '-i', ...variables.map(([name, value]) => `${name}=${value}`), ...program];
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

export function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** Whether a program is installed. @param asking makes it say its version, and end */
export function isThere(command: string, asking = '--version'): boolean {
  try {
    execFileSync(command, [asking], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
