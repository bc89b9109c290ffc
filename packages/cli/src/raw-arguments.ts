import { isUtf8 } from 'node:buffer';
import type { FilePath } from './file-path.ts';

/** What was typed, in bytes, for what Node has not kept: in its arguments, U+FFFD stands for what is no UTF-8. */
export async function readRawArguments(): Promise<Buffer[]> {
  // When it is wanted, which is seldom: it takes 4 ms to load.
  const { readFile } = await import('node:fs/promises');
  // Linux alone has both such names and this file.
  const line = await readFile('/proc/self/cmdline', 'latin1').catch(() => '');
  return line.split('\0').map((argument) => Buffer.from(argument, 'latin1'));
}

/** The paths among arguments as they were typed. @param raw all arguments, in their order */
export function restorePaths(paths: string[], raw: Buffer[]): FilePath[] {
  const left = raw.filter((argument) => !isUtf8(argument));
  return paths.map((path) => {
    const index = left.findIndex((argument) => argument.toString('utf8') === path);
    return left.splice(index, index === -1 ? 0 : 1)[0] ?? path;
  });
}
