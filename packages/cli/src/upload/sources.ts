import { stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { IMAGE_TYPES } from '@imgup/shared';
import { CliError, EXIT, usageError } from '../errors.ts';

/** One file to upload. */
export interface Source {
  /** As the person knows it: a path, `-`, "the clipboard". */
  label: string;
  /** Where its bytes are. */
  path: string;
  /** What it is called at the server. */
  name: string;
  /** In bytes, where it is known already. */
  bytes: number;
  /** Whether the file is the person's, and not a copy that was made for this upload. */
  own: boolean;
}

export interface FolderOptions {
  recursive: boolean;
  /** Globs of what counts in a folder; none: the extensions of what the server takes. */
  include: string[];
  exclude: string[];
}

/**
 * What the arguments name, in their order. Folders give their pictures in the order of their paths, without hidden
 * files, and without following links. A path that is not there is found out when it is read.
 */
export async function findSources(paths: string[], options: FolderOptions): Promise<Source[]> {
  const found: Source[][] = [];
  for (const path of paths) {
    if (path === '') throw usageError('The name of a file is empty; name a picture.');
    const stats = await stat(path).catch(() => null);
    if (stats?.isDirectory() === true && options.recursive) found.push(await inFolder(path, options));
    else found.push([ownFile(path, stats?.isFile() === true ? stats.size : 0)]);
  }
  return found.flat();
}

async function inFolder(folder: string, { include, exclude }: FolderOptions): Promise<Source[]> {
  const { glob } = await import('tinyglobby');
  const patterns = include.length > 0 ? include : PICTURES;
  const options = { cwd: folder, ignore: exclude, dot: false, onlyFiles: true, followSymbolicLinks: false };
  const names = await glob(patterns.map(anywhere), {
    ...options,
    ignore: exclude.map(anywhere),
    caseSensitiveMatch: false,
    expandDirectories: false,
  }).catch((error: unknown) => {
    throw new CliError('folder_unreadable', EXIT.failed, `${folder} cannot be read; check its permissions.`, {
      cause: error,
    });
  });
  const paths = names.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true })).map((name) => join(folder, name));
  return Promise.all(paths.map(async (path) => ownFile(path, (await stat(path).catch(() => null))?.size ?? 0)));
}

/** As in .gitignore: a pattern without a slash counts in every folder. */
function anywhere(pattern: string): string {
  return pattern.includes('/') ? pattern.replace(/^\//, '') : `**/${pattern}`;
}

const EXTENSIONS: string[] = [...Object.values(IMAGE_TYPES), 'jpeg', 'jpe', 'jfif', 'apng'];
const PICTURES = EXTENSIONS.map((extension) => `*.${extension}`);

/** Whether a file is called as pictures are. */
export function isPicture(path: string): boolean {
  return EXTENSIONS.includes(extname(path).slice(1).toLowerCase());
}

export function ownFile(path: string, bytes: number): Source {
  return { label: path, path, name: basename(path), bytes, own: true };
}

/** The lines of a list of files; between NULs where there are any, as `find -print0` writes them. */
export function splitList(text: string): string[] {
  const parts = text.includes('\0') ? text.split('\0') : text.split(/\r?\n/);
  return parts.filter((part) => part !== '');
}
