import { readFile } from 'node:fs/promises';
import { ifThere } from './if-there.ts';

/** A file's text; null where there is none, and nothing where the disk cannot read it or something else stands there. */
export function readText(path: string): Promise<string | null> {
  const unreadable = (error: NodeJS.ErrnoException) => {
    if (error.code === 'EIO' || error.code === 'EISDIR') return '';
    throw error;
  };
  return ifThere(readFile(path, 'utf8').catch(unreadable));
}
