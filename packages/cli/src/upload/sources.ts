import { stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { IMAGE_TYPES } from '@imgup/shared';
import { usageError, type CliError } from '../errors.ts';
import { shownPath, toFilePath, type FilePath } from '../file-path.ts';

/** One file to upload. */
export interface Source {
  /** As the person knows it: a path, `-`, "the clipboard". */
  label: string;
  /** Where its bytes are. */
  path: FilePath;
  /** What it is called at the server. */
  name: string;
  /** In bytes, where it is known already. */
  bytes: number;
  /** Whether the file is the person's, and not a copy that was made for this upload. */
  own: boolean;
  /** Why it cannot be uploaded, where that is known already. */
  failure: CliError | null;
}

export interface FolderOptions {
  recursive: boolean;
  /** Globs of what counts in a folder; none: the extensions of what the server takes. */
  include: string[];
  exclude: string[];
}

/**
 * What the arguments name, in their order. Folders give their pictures in the order of their paths, without hidden
 * files, and without following links to folders. A path that is not there is found out when it is read.
 */
export async function findSources(paths: FilePath[], options: FolderOptions, signal: AbortSignal): Promise<Source[]> {
  const found: Source[][] = [];
  for (const path of paths) {
    if (path.length === 0) throw usageError('The name of a file is empty; name a picture.');
    const stats = await stat(path).catch(() => null);
    if (stats?.isDirectory() === true && options.recursive) found.push(await inFolder(path, options, signal));
    else found.push([ownFile(path, stats?.isFile() === true ? stats.size : 0)]);
  }
  return found.flat();
}

async function inFolder(folder: FilePath, { include, exclude }: FolderOptions, signal: AbortSignal): Promise<Source[]> {
  const { walkFolder } = await import('./walk-folder.ts');
  const chosen = include.length > 0 ? include : PICTURES;
  const sources: Source[] = [];
  for (const { path, failure } of await walkFolder(folder, { include: chosen, exclude, signal })) {
    signal.throwIfAborted();
    const stats = failure === null ? await stat(path).catch(() => null) : null;
    // A link to one.
    if (stats?.isDirectory() === true) continue;
    sources.push({ ...ownFile(path, stats?.size ?? 0), failure });
  }
  return sources;
}

const EXTENSIONS: string[] = [...Object.values(IMAGE_TYPES), 'jpeg', 'jpe', 'jfif', 'apng'];
/** Globs of what is called as pictures are. */
export const PICTURES = EXTENSIONS.map((extension) => `*.${extension}`);

/** Whether a file is called as pictures are. */
export function isPicture(path: string): boolean {
  return EXTENSIONS.includes(extname(path).slice(1).toLowerCase());
}

export function ownFile(path: FilePath, bytes: number): Source {
  const label = shownPath(path);
  return { label, path, name: basename(label), bytes, own: true, failure: null };
}

/** The lines of a list of files; between NULs where there are any, as `find -print0` writes them. */
export function splitList(list: Buffer): FilePath[] {
  const text = list.toString('latin1');
  const parts = text.includes('\0') ? text.split('\0') : text.split(/\r?\n/);
  return parts.filter((part) => part !== '').map((part) => toFilePath(Buffer.from(part, 'latin1')));
}
