import { randomUUID } from 'node:crypto';
import { link, lstat, open, realpath, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { IMAGE_TYPES, type ImageType } from '@imgup/shared';
import { CliError, EXIT } from '../errors.ts';
import { printable } from '../printable.ts';
import { shortenToBytes } from '../shorten-to-bytes.ts';
import type { Download } from './download.ts';

interface SaveOptions {
  url: URL;
  /** A file, or a folder that is there; undefined: the folder that the command runs in. */
  output: string | undefined;
  /** Whether there are more pictures, so that `output` must be a folder. */
  several: boolean;
  /** Whether a file that is there already is replaced. */
  force: boolean;
}

/**
 * Writes a picture to a file, which has its name once it is whole. Where `force` meets a link, its target is replaced;
 * a device or a pipe is written into. Errors: `CliError`.
 */
export async function savePicture(picture: Download, options: SaveOptions): Promise<{ path: string; bytes: number }> {
  const path = await pathFor(picture, options);
  try {
    const isThere = (await lstat(path).catch(() => null)) !== null;
    if (isThere && !options.force) throw fileExists(path);
    const isFile = !isThere || ((await stat(path).catch(() => null))?.isFile() ?? true);
    if (!isFile) return { path, bytes: await write(picture, await open(path, 'w')) };
    const target = isThere ? await realpath(path).catch(() => path) : path;
    const name = shortenToBytes(basename(target), 200);
    const partial = join(dirname(target), `.${name}.${randomUUID().slice(0, 8)}.part`);
    try {
      const bytes = await write(picture, await open(partial, 'wx'), (file) => file.sync());
      await (options.force ? rename(partial, target) : giveFreeName(partial, path));
      return { path, bytes };
    } finally {
      await unlink(partial).catch(() => undefined);
    }
  } catch (error) {
    throw fileFailure(path, error);
  }
}

async function write(
  { chunks }: Download,
  file: FileHandle,
  finish?: (file: FileHandle) => Promise<void>,
): Promise<number> {
  let bytes = 0;
  try {
    for await (const chunk of chunks) {
      await file.writeFile(chunk);
      bytes += chunk.length;
    }
    await finish?.(file);
  } finally {
    await file.close();
  }
  return bytes;
}

/** Without a moment at which another's file could be replaced, or at which an end would leave an empty one. */
async function giveFreeName(partial: string, path: string): Promise<void> {
  try {
    await link(partial, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw error;
    // Not every file system has links.
    await (await open(path, 'wx')).close();
    await rename(partial, path);
  }
}

async function pathFor(picture: Download, { url, output, several }: SaveOptions): Promise<string> {
  const isFolder = output === undefined || ((await stat(output).catch(() => null))?.isDirectory() ?? false);
  if (isFolder) return join(output ?? '.', fileName(picture, url));
  if (!several) return output;
  throw new CliError('not_a_folder', EXIT.usage, `There is no folder ${output}; several pictures need one.`);
}

/** The longest name that file systems take, in bytes. */
const NAME_MAX_BYTES = 255;

/** What the server calls it, with an extension that tells the truth, and nothing that leads out of the folder. */
function fileName({ name, type }: Download, url: URL): string {
  const clean = printable(basename((name ?? '').replaceAll('\\', '/')))
    .replace(/[<>:"|?*]/g, '_')
    .replace(/^\.+/, '')
    .trim();
  const known = IMAGE_TYPES[(type.split(';')[0] ?? '').trim() as ImageType] as string | undefined;
  const extension = known === undefined ? '' : `.${known}`;
  const chosen = clean === '' ? basename(url.pathname, extname(url.pathname)) : clean;
  const isTrue = [extension, extension === '.jpg' ? '.jpeg' : extension].includes(extname(chosen).toLowerCase());
  const stem = isTrue ? chosen.slice(0, -extname(chosen).length || undefined) : chosen;
  const end = isTrue ? extname(chosen) : extension;
  return `${shortenToBytes(stem, NAME_MAX_BYTES - end.length)}${end}`;
}

function fileFailure(path: string, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (error instanceof CliError || typeof code !== 'string' || !('syscall' in (error as object))) return error;
  if (code === 'EEXIST') return fileExists(path, error);
  const message = `${path} cannot be written (${code}); name another place with --output.`;
  return new CliError('file_unwritable', EXIT.failed, message, { cause: error });
}

function fileExists(path: string, cause?: unknown): CliError {
  const message = `${path} is there already; use --force to replace it, or name another with --output.`;
  return new CliError('file_exists', EXIT.failed, message, { cause });
}
