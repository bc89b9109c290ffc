import type { Io } from './io.ts';

/** Turns on stderr while the work lasts, and leaves nothing behind. Only for a terminal: ora is not even loaded otherwise. */
export async function withSpinner<T>(
  io: Io,
  { text, color }: { text: string; color: boolean },
  work: () => Promise<T>,
): Promise<T> {
  const { default: ora } = await import('ora');
  // Reading stdin would keep Ctrl-C from becoming a SIGINT.
  const spinner = ora({ text, stream: io.stderr, color: color ? 'cyan' : false, discardStdin: false });
  spinner.start();
  try {
    return await work();
  } finally {
    spinner.stop();
  }
}
