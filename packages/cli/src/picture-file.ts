import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ImageType } from '@imgup/shared';
import type { Picture } from './api/client.ts';
import { EXIT, CliError, localProblem, usageError } from './errors.ts';

/**
 * A file as it is sent. It is read once for its digest, and again for each time that it is sent.
 * Errors: `CliError` where there is no file, or none that can be read, or nothing in it that a server would take.
 *
 * @param signal ends every reading, and its reason is thrown
 */
export async function readPictureFile(path: string, signal: AbortSignal): Promise<Picture> {
  if (path === '') throw usageError('The name of the file is empty; name a picture.');
  try {
    const { size, type } = await look(path);
    const read = () => createReadStream(path, { end: size - 1, signal });
    const hash = createHash('sha256');
    for await (const chunk of read()) hash.update(chunk as Uint8Array);
    const stream = () => unchanged(path, read, { size, signal });
    return { name: basename(path), type, digest: hash.digest('base64'), body: { length: size, stream } };
  } catch (error) {
    throw signal.aborted ? signal.reason : fileFailure(path, error);
  }
}

/** What is read to be sent: the file was there and whole before, so whatever fails now has changed since. */
async function* unchanged(
  path: string,
  read: () => AsyncIterable<Uint8Array>,
  { size, signal }: { size: number; signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  let cause: unknown;
  let bytes = 0;
  try {
    for await (const chunk of read()) {
      bytes += chunk.length;
      yield chunk;
    }
    if (bytes === size) return;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    cause = error;
  }
  const message = `${path} was changed or removed while it was sent; upload it again.`;
  throw new CliError('file_changed', EXIT.failed, message, { cause, path });
}

/** No server can be set to take more (`--max-size`). */
const MAX_BYTES = 1024 ** 3;

/** Enough for the brands of any AVIF. */
const HEAD_BYTES = 512;

async function look(path: string): Promise<{ size: number; type: ImageType }> {
  // Asked before it is opened: to open a named pipe would wait for its writer.
  const found = await stat(path);
  if (!found.isFile()) {
    const what = found.isDirectory() ? 'a folder; add -r for the pictures in it.' : 'not a file; name a picture.';
    throw new CliError('not_a_file', EXIT.failed, `${path} is ${what}`, { path });
  }
  if (found.size === 0) throw aboutFile(path, localProblem('image_empty'));
  if (found.size > MAX_BYTES) throw aboutFile(path, localProblem('image_too_large'));
  const handle = await open(path);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    const type = sniff(buffer.subarray(0, bytesRead));
    if (type === null) throw aboutFile(path, localProblem('image_type_unsupported'));
    return { size: found.size, type };
  } finally {
    await handle.close();
  }
}

/** A guess for the `Content-Type`, or null for what no server takes; where there is doubt, the server looks for itself. */
function sniff(start: Buffer): ImageType | null {
  const ascii = start.toString('latin1');
  if (ascii.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png';
  if (ascii.startsWith('\xff\xd8\xff')) return 'image/jpeg';
  if (/^GIF8[79]a/.test(ascii)) return 'image/gif';
  if (/^RIFF[^]{4}WEBP/.test(ascii)) return 'image/webp';
  // In doubt too: an AVIF may have its own brand only among those that it is compatible with.
  if (/^[^]{4}ftyp/.test(ascii) && /avi[fs]/.test(ascii.slice(8, ftypEnd(start)))) return 'image/avif';
  return null;
}

/** A box begins with its length in bytes; 0 and 1 mean that it is written elsewhere (ISO/IEC 14496-12, section 4.2). */
function ftypEnd(start: Buffer): number {
  const length = start.readUInt32BE(0);
  return length < 16 ? start.length : length;
}

/** The failure of one file, with its name. */
export function aboutFile(path: string, { code, exitCode, message, cause }: CliError): CliError {
  return new CliError(code, exitCode, `${path}: ${message}`, { cause, path });
}

function fileFailure(path: string, error: unknown): CliError {
  if (error instanceof CliError) return error;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new CliError('file_not_found', EXIT.failed, `There is no file ${path}; check its name.`, {
        cause: error,
        path,
      });
    case 'EACCES':
    case 'EPERM':
      return new CliError('file_unreadable', EXIT.failed, `You may not read ${path}; change its permissions.`, {
        cause: error,
        path,
      });
    default:
      return new CliError(
        'file_unreadable',
        EXIT.failed,
        `${path} cannot be read (${String(code ?? error)}); check it.`,
        {
          cause: error,
          path,
        },
      );
  }
}
