import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import type { FilePath } from './file-path.ts';

/** What was typed, in bytes, for what Node has not kept: in its arguments, U+FFFD stands for what is no UTF-8. */
export async function readRawArguments(): Promise<Buffer[]> {
  // Linux alone has both such names and this file.
  const line = await readFile('/proc/self/cmdline', 'latin1').catch(() => '');
  return line.split('\0').map((argument) => Buffer.from(argument, 'latin1'));
}

/** The paths among arguments as they were typed. @param readRaw gives all arguments, in their order */
export async function restorePaths(paths: string[], readRaw: () => Promise<Buffer[]>): Promise<FilePath[]> {
  if (!paths.some((path) => path.includes('\uFFFD'))) return paths;
  const left = (await readRaw()).filter((argument) => !isUtf8(argument));
  return paths.map((path) => {
    const index = left.findIndex((argument) => argument.toString('utf8') === path);
    return left.splice(index, index === -1 ? 0 : 1)[0] ?? path;
  });
}
