import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ImageType } from '@imgup/shared';
import type { Picture } from './api/client.ts';
import { EXIT, CliError, localProblem, usageError } from './errors.ts';
import { shownPath, type FilePath } from './file-path.ts';
import { HEAD_BYTES, sniffType } from './sniff-type.ts';

/**
 * A file as it is sent. A small one is read once; a large one for its digest, and again for each time that it is sent.
 * Errors: `CliError` where there is no file, or none that can be read, or nothing in it that a server would take.
 *
 * @param signal ends every reading, and its reason is thrown
 * @param label what failures call it
 */
export async function readPictureFile(path: FilePath, signal: AbortSignal, label = shownPath(path)): Promise<Picture> {
  if (path.length === 0) throw usageError('The name of the file is empty; name a picture.');
  try {
    const { size, type, whole } = await look(path, label, signal);
    const hash = createHash('sha256');
    if (whole !== null) {
      const body = { length: whole.length, stream: () => inPieces(whole, signal) };
      return { name: basename(label), type, digest: hash.update(whole).digest('base64'), body };
    }
    const read = () => createReadStream(path, { end: size - 1, signal });
    for await (const chunk of read()) hash.update(chunk as Uint8Array);
    const stream = () => unchanged(label, read, { size, signal });
    return { name: basename(label), type, digest: hash.digest('base64'), body: { length: size, stream } };
  } catch (error) {
    throw signal.aborted ? signal.reason : fileFailure(label, error);
  }
}

/** Up to here a file stays in memory from its digest on until it is sent, in bytes; of a batch, five do so at once. */
const SMALL_BYTES = 4 * 1024 ** 2;

/** What is written to a connection at once, in bytes. */
const PIECE_BYTES = 256 * 1024;

async function* inPieces(whole: Buffer, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < whole.length; at += PIECE_BYTES) {
    signal.throwIfAborted();
    yield whole.subarray(at, at + PIECE_BYTES);
  }
}

/** What is read to be sent: the file was there and whole before, so whatever fails now has changed since. */
async function* unchanged(
  label: string,
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
  const message = `${label} was changed or removed while it was sent; upload it again.`;
  throw new CliError('file_changed', EXIT.failed, message, { cause, path: label });
}

/** No server can be set to take more (`--max-size`). */
const MAX_BYTES = 1024 ** 3;

interface Seen {
  size: number;
  type: ImageType;
  /** All of a small one. */
  whole: Buffer | null;
}

async function look(path: FilePath, label: string, signal: AbortSignal): Promise<Seen> {
  // Asked before it is opened: to open a named pipe would wait for its writer.
  const found = await stat(path);
  if (!found.isFile()) {
    const what = found.isDirectory() ? 'a folder; add -r for the pictures in it.' : 'not a file; name a picture.';
    throw new CliError('not_a_file', EXIT.failed, `${label} is ${what}`, { path: label });
  }
  if (found.size === 0) throw aboutFile(label, localProblem('image_empty'));
  if (found.size > MAX_BYTES) throw aboutFile(label, localProblem('image_too_large'));
  const handle = await open(path);
  try {
    const isSmall = found.size <= SMALL_BYTES;
    const start = await readStart(handle, isSmall ? found.size : HEAD_BYTES, signal);
    const type = sniffType(start.subarray(0, HEAD_BYTES));
    if (type === null) throw aboutFile(label, localProblem('image_type_unsupported'));
    return { size: found.size, type, whole: isSmall ? start : null };
  } finally {
    await handle.close();
  }
}

/** So many bytes, or less where the file has got shorter since. */
async function readStart(handle: FileHandle, length: number, signal: AbortSignal): Promise<Buffer> {
  // Zeros, so that nothing else of this process could ever be sent in the place of what a file no longer has.
  const start = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    signal.throwIfAborted();
    const { bytesRead } = await handle.read(start, filled, length - filled, filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return start.subarray(0, filled);
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
