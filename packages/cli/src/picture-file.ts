import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ImageType } from '@imgup/shared';
import type { Picture } from './api/client.ts';
import { EXIT, CliError, localProblem } from './errors.ts';

/**
 * A file as it is sent. It is read once for its digest, and again for each time that it is sent.
 * Errors: `CliError` where there is no file, or none that can be read, or nothing in it.
 */
export async function readPictureFile(path: string): Promise<Picture> {
  try {
    const { size, type } = await look(path);
    const stream = () => createReadStream(path, { end: size - 1 });
    const hash = createHash('sha256');
    for await (const chunk of stream()) hash.update(chunk as Uint8Array);
    return { name: basename(path), type, digest: hash.digest('base64'), body: { length: size, stream } };
  } catch (error) {
    throw fileFailure(path, error);
  }
}

async function look(path: string): Promise<{ size: number; type: string }> {
  // Asked before it is opened: to open a named pipe would wait for its writer.
  const found = await stat(path);
  if (!found.isFile()) {
    const what = found.isDirectory() ? 'a folder' : 'not a file';
    throw new CliError('not_a_file', EXIT.failed, `${path} is ${what}; name a picture.`);
  }
  if (found.size === 0) throw aboutFile(path, localProblem('image_empty'));
  const handle = await open(path);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(16), 0, 16, 0);
    return { size: found.size, type: sniff(buffer.subarray(0, bytesRead)) };
  } finally {
    await handle.close();
  }
}

/** A guess for the `Content-Type`; the server looks for itself. */
function sniff(start: Buffer): ImageType | 'application/octet-stream' {
  const ascii = start.toString('latin1');
  if (ascii.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png';
  if (ascii.startsWith('\xff\xd8\xff')) return 'image/jpeg';
  if (/^GIF8[79]a/.test(ascii)) return 'image/gif';
  if (/^RIFF[^]{4}WEBP/.test(ascii)) return 'image/webp';
  if (/^[^]{4}ftypavi[fs]/.test(ascii)) return 'image/avif';
  return 'application/octet-stream';
}

/** The failure of one file, with its name. */
export function aboutFile(path: string, { code, exitCode, message, cause }: CliError): CliError {
  return new CliError(code, exitCode, `${path}: ${message}`, { cause });
}

function fileFailure(path: string, error: unknown): CliError {
  if (error instanceof CliError) return error;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new CliError('file_not_found', EXIT.failed, `There is no file ${path}; check its name.`, { cause: error });
    case 'EACCES':
    case 'EPERM':
      return new CliError('file_unreadable', EXIT.failed, `You may not read ${path}; change its permissions.`, {
        cause: error,
      });
    default:
      return new CliError(
        'file_unreadable',
        EXIT.failed,
        `${path} cannot be read (${String(code ?? error)}); check it.`,
        {
          cause: error,
        },
      );
  }
}
