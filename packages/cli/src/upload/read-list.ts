import { constants, createReadStream, fstat, open } from 'node:fs';
import { Socket } from 'node:net';
import { addAbortSignal, type Readable } from 'node:stream';
import { isatty, ReadStream } from 'node:tty';
import { promisify } from 'node:util';
import { CliError, EXIT, usageError } from '../errors.ts';
import type { FilePath } from '../file-path.ts';
import { splitList } from './sources.ts';

/** More than 100,000 paths. A list without an end must not take all memory. */
const MAX_BYTES = 16_000_000;

/**
 * The files that a list names. Errors: `CliError` where it cannot be read or is too long, the signal's reason.
 *
 * @param path "-" for stdin
 */
export async function readList(path: string, stdin: Readable, signal: AbortSignal): Promise<FilePath[]> {
  try {
    const stream = path === '-' ? stdin : await openList(path);
    return splitList(withoutMark(await readShort(addAbortSignal(signal, stream))));
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    if (cause instanceof CliError) throw cause;
    throw new CliError('file_not_found', EXIT.failed, `The list ${path} cannot be read; check its name.`, { cause });
  }
}

/**
 * Not with readFile: where nobody writes to a named pipe, or types at a terminal, it leaves a thread waiting that the end
 * of the process then waits for, Ctrl-C or not.
 */
async function openList(path: string): Promise<Readable> {
  const fd = await promisify(open)(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if (isatty(fd)) return new ReadStream(fd);
  const isPipe = (await promisify(fstat)(fd)).isFIFO();
  return isPipe ? new Socket({ fd, writable: false }) : createReadStream(path, { fd });
}

async function readShort(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer | string>) {
    chunks.push(Buffer.from(chunk));
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw usageError('The list of --files-from is longer than 16 MB; give it in parts.');
  }
  return Buffer.concat(chunks);
}

/** Notepad and PowerShell begin a text with a byte order mark. */
function withoutMark(text: Buffer): Buffer {
  return text.subarray(0, 3).equals(BYTE_ORDER_MARK) ? text.subarray(3) : text;
}

const BYTE_ORDER_MARK = Buffer.from('\uFEFF');
