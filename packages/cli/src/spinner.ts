import type { Options } from 'ora';
import type { Io } from './io.ts';

/**
 * Turns on stderr while the work lasts, and leaves nothing behind. Only for a terminal: ora is not even loaded otherwise.
 *
 * @param work is given what changes the text
 */
export async function withSpinner<T>(
  io: Io,
  { text, color }: { text: string; color: boolean },
  work: (say: (text: string) => void) => Promise<T>,
): Promise<T> {
  const { default: ora } = await import('ora');
  const spinner = ora({ ...spinnerOptions(io, color), text });
  spinner.start();
  try {
    return await work((words) => {
      spinner.text = words;
    });
  } finally {
    spinner.stop();
  }
}

/** Of ora. Whether the terminal can show it has been found out already; reading stdin would keep Ctrl-C from becoming a SIGINT. */
export function spinnerOptions(io: Io, color: boolean): Options {
  return { stream: io.stderr, isEnabled: true, color: color ? 'cyan' : false, discardStdin: false };
}
