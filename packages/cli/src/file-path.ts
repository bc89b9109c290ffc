import { isUtf8 } from 'node:buffer';
import { join, sep } from 'node:path';

/** Of a file: its bytes where they are no UTF-8, as a name on Linux can be. */
export type FilePath = string | Buffer;

/** As text where that loses nothing. */
export function toFilePath(bytes: Buffer): FilePath {
  return isUtf8(bytes) ? bytes.toString('utf8') : bytes;
}

/** For people and JSON, with U+FFFD for what is no UTF-8. */
export function shownPath(path: FilePath): string {
  return typeof path === 'string' ? path : path.toString('utf8');
}

export function joinPath(folder: FilePath, name: FilePath): FilePath {
  if (typeof folder === 'string' && typeof name === 'string') return join(folder, name);
  if (folder === '.') return name;
  return Buffer.concat([Buffer.from(folder), Buffer.from(sep), Buffer.from(name)]);
}

/** Tells paths apart, also those that are shown alike. */
export function pathKey(path: FilePath): string {
  return typeof path === 'string' ? path : `\0${path.toString('latin1')}`;
}
