import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Context } from './context.ts';

interface OpenOptions {
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  wait: Context['wait'];
  platform?: NodeJS.Platform;
}

/** Who has not failed after so long, in milliseconds, has opened something. */
const SETTLED_AFTER_MS = 1_500;

/** Opens links in the browser. Resolves to why it could not, as a clause, or to null. Errors: the signal's reason. */
export async function openLinks(urls: string[], options: OpenOptions): Promise<string | null> {
  if (!hasDesktop(options)) return 'there is no desktop session here';
  const { default: open } = await import('open');
  for (const url of urls) {
    try {
      const code = await exitCode(await open(url), options);
      if (code !== 0) return `the program that opens links ends with ${code}`;
    } catch (error) {
      if (options.signal.aborted) throw options.signal.reason;
      const { code, message, path } = error as NodeJS.ErrnoException;
      return code === 'ENOENT' ? `${path} is not installed` : message;
    }
  }
  return null;
}

function hasDesktop({ env, platform = process.platform }: OpenOptions): boolean {
  if (platform !== 'linux') return true;
  return ['DISPLAY', 'WAYLAND_DISPLAY', 'WSL_DISTRO_NAME', 'BROWSER'].some((name) => env[name]);
}

/** 0 too where it goes on: it may be the browser itself. */
async function exitCode(child: ChildProcess, { signal, wait }: OpenOptions): Promise<number> {
  if (child.exitCode !== null) return child.exitCode;
  const over = new AbortController();
  const goesOn = wait(SETTLED_AFTER_MS, AbortSignal.any([signal, over.signal])).then(() => 0);
  const ended = once(child, 'exit').then(([code]) => Number(code));
  try {
    return await Promise.race([ended, goesOn]);
  } finally {
    goesOn.catch(() => undefined);
    over.abort();
  }
}
