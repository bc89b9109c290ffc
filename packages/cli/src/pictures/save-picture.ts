import { randomUUID } from 'node:crypto';
import { open, rename, stat, unlink } from 'node:fs/promises';
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

/** Writes a picture to a file, which has its name once it is whole. Errors: `CliError`. */
export async function savePicture(picture: Download, options: SaveOptions): Promise<{ path: string; bytes: number }> {
  const path = await pathFor(picture, options);
  const partial = join(dirname(path), `.${shortenToBytes(basename(path), 200)}.${randomUUID().slice(0, 8)}.part`);
  let reserved = false;
  try {
    if (!options.force) {
      await (await open(path, 'wx')).close();
      reserved = true;
    }
    const file = await open(partial, 'wx');
    let bytes = 0;
    try {
      for await (const chunk of picture.chunks) {
        await file.writeFile(chunk);
        bytes += chunk.length;
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
    return { path, bytes };
  } catch (error) {
    await unlink(partial).catch(() => undefined);
    if (reserved) await unlink(path).catch(() => undefined);
    throw fileFailure(path, error);
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
  const wayOut =
    code === 'EEXIST'
      ? 'is there already; use --force to replace it, or name another with --output.'
      : `cannot be written (${code}); name another place with --output.`;
  return new CliError(code === 'EEXIST' ? 'file_exists' : 'file_unwritable', EXIT.failed, `${path} ${wayOut}`, {
    cause: error,
  });
}
