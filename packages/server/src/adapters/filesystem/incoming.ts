import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rm, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Incoming, KnownPart, ReceivedFile, ReceiveOptions } from '../../ports/incoming.ts';
import { createWrittenFile } from './written-file.ts';

/** All of a file stays in memory until it is stored up to this many bytes, as most screenshots have. */
const SMALL_BYTES = 128 * 1024;

/** Of a larger one this much of its end does, which tells of most formats whether they are whole. */
const TAIL_BYTES = 1024;

/** Chunks are gathered to this many bytes before they are written, which costs a fifth of the calls. */
const GATHER_BYTES = 256 * 1024;

/** How much of the start is kept for recognising the format. */
const HEAD_BYTES = 4100;

/** Half-received uploads in a folder on the same file system as the pictures; what an earlier server left is removed. */
export async function openIncoming(folder: string): Promise<Incoming> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // It was being received when that server ended, and nobody was told that it was stored.
  const leftovers = await readdir(folder);
  /** Paths of files that the disk has kept. */
  const unremoved = new Set<string>();
  for (const name of leftovers) await rm(join(folder, name), { force: true, recursive: true });

  async function remove(path: string): Promise<void> {
    unremoved.add(path);
    await unlink(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    unremoved.delete(path);
  }

  const discard = (path: string) => remove(path).catch(() => undefined);

  return {
    swept: leftovers.length,

    async receive(source, options) {
      const path = join(folder, randomUUID());
      const file = await open(path, 'wx', 0o600);
      try {
        return { file: createWrittenFile(path, file), ...(await writeBody(file, source, options)) };
      } catch (error) {
        await file.close().catch(() => undefined);
        await discard(path);
        throw error;
      }
    },

    discard,

    async finishRemovals() {
      for (const path of unremoved) await remove(path);
    },
  };
}

async function writeBody(
  file: FileHandle,
  source: AsyncIterable<Uint8Array>,
  { onHead, onChunk }: ReceiveOptions,
): Promise<Omit<ReceivedFile, 'file'>> {
  const hash = createHash('sha256');
  const head: Uint8Array[] = [];
  let gathered: Uint8Array[] = [];
  let gatheredBytes = 0;
  let bytes = 0;
  let last: Uint8Array = Buffer.alloc(0);
  let headSeen = false;

  async function flush(): Promise<void> {
    const chunks = gathered;
    let left = gatheredBytes;
    gathered = [];
    gatheredBytes = 0;
    while (left > 0) {
      const { bytesWritten } = await file.writev(chunks);
      left -= bytesWritten;
      // A short write (a disk about to fill) leaves the rest to be written again.
      let skip = bytesWritten;
      while (skip > 0 && chunks[0] !== undefined) {
        const first = chunks[0];
        if (first.length <= skip) chunks.shift();
        else chunks[0] = first.subarray(skip);
        skip -= Math.min(skip, first.length);
      }
    }
  }

  for await (const chunk of source) {
    if (!headSeen) {
      head.push(chunk.subarray(0, HEAD_BYTES - Math.min(bytes, HEAD_BYTES)));
      if (bytes + chunk.length >= HEAD_BYTES) {
        headSeen = true;
        await onHead(Buffer.concat(head));
      }
    }
    bytes += chunk.length;
    onChunk(chunk, bytes);
    hash.update(chunk);
    last = chunk;
    gathered.push(chunk);
    gatheredBytes += chunk.length;
    if (gatheredBytes >= GATHER_BYTES) await flush();
  }
  const start = Buffer.concat(head);
  if (!headSeen) await onHead(start);
  const known = bytes <= SMALL_BYTES ? [{ at: 0, bytes: Buffer.concat(gathered, bytes) }] : partsOf(start, last, bytes);
  await flush();
  return { bytes, sha256: hash.digest('hex'), known };
}

function partsOf(start: Buffer, last: Uint8Array, bytes: number): KnownPart[] {
  // A copy, which does not hold the memory of the whole chunk.
  const end = Buffer.from(last.subarray(-TAIL_BYTES));
  return [
    { at: 0, bytes: start },
    { at: bytes - end.length, bytes: end },
  ];
}
