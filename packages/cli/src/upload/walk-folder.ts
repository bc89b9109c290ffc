import { readdir } from 'node:fs/promises';
import { sep } from 'node:path';
import picomatch from 'picomatch';
import { CliError, EXIT } from '../errors.ts';
import { joinPath, shownPath, toFilePath, type FilePath } from '../file-path.ts';

interface WalkOptions {
  /** Globs: what counts, and what does not. */
  include: string[];
  exclude: string[];
  /** Leaves out the folders in it. */
  flat?: boolean;
  signal: AbortSignal;
}

/** A file that counts, or a folder that could not be read. */
export interface Found {
  path: FilePath;
  failure: CliError | null;
}

/**
 * What is in a folder and in those below it, in the order of the paths. Hidden files and folders do not count, and links
 * to folders are not followed. Errors: the signal's reason.
 */
export async function walkFolder(
  root: FilePath,
  { include, exclude, flat = false, signal }: WalkOptions,
): Promise<Found[]> {
  const isIncluded = matcher(include);
  const isExcluded = matcher(exclude);
  const found: (Found & { below: string })[] = [];

  async function walk(path: FilePath, below: string): Promise<void> {
    signal.throwIfAborted();
    const entries = await readdir(path, { withFileTypes: true, encoding: 'buffer' }).catch((error: unknown) => {
      // Removed since its name was read.
      const isGone = below !== '' && (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (!isGone) found.push({ path, below, failure: unreadable(path, error) });
      return [];
    });
    const folders: Promise<void>[] = [];
    for (const entry of entries) {
      const name = toFilePath(entry.name);
      const shown = `${below}${shownPath(name)}`;
      if (shownPath(name).startsWith('.') || isExcluded(shown)) continue;
      if (entry.isDirectory()) {
        if (!flat) folders.push(walk(joinPath(path, name), `${shown}/`));
      } else if ((entry.isFile() || entry.isSymbolicLink()) && isIncluded(shown))
        found.push({ path: joinPath(path, name), below: shown, failure: null });
    }
    await Promise.all(folders);
  }

  await walk(root, '');
  const { compare } = new Intl.Collator('en', { numeric: true });
  return found.toSorted((a, b) => compare(a.below, b.below));
}

function matcher(globs: string[]): (path: string) => boolean {
  return picomatch(globs.map(anywhere), { nocase: true });
}

/** As in .gitignore: a pattern without a slash counts in every folder, and one slash at either end is no part of it. */
function anywhere(glob: string): string {
  const pattern = glob.replaceAll(sep, '/').replace(/\/$/, '');
  return pattern.includes('/') ? pattern.replace(/^\.?\//, '') : `**/${pattern}`;
}

function unreadable(path: FilePath, cause: unknown): CliError {
  const folder = shownPath(path);
  const { code = String(cause) } = cause as NodeJS.ErrnoException;
  const message = `The folder ${folder} cannot be read (${code}); check its permissions, or leave it out with --exclude.`;
  return new CliError('folder_unreadable', EXIT.failed, message, { cause, path: folder });
}
