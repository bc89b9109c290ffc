import { createHash } from 'node:crypto';
import { open, rm, type FileHandle } from 'node:fs/promises';
import type { Piece } from './plan.ts';

/** Copied this many bytes at a time, which is all the memory that a copy takes. */
const COPY_BYTES = 256 * 1024;

/** Writes the pieces of a picture to a new file. When it rejects, there is no such file. */
export async function carryOut(
  pieces: readonly Piece[],
  source: FileHandle,
  to: string,
): Promise<{ bytes: number; sha256: string }> {
  const target = await open(to, 'wx', 0o600);
  const hash = createHash('sha256');
  const memory = Buffer.alloc(COPY_BYTES);
  let bytes = 0;

  async function write(chunk: Uint8Array): Promise<void> {
    hash.update(chunk);
    bytes += chunk.length;
    for (let written = 0; written < chunk.length;) {
      // A disk about to fill writes less than it was given.
      const { bytesWritten } = await target.write(chunk, written, chunk.length - written);
      written += bytesWritten;
    }
  }

  async function copy(from: number, length: number): Promise<void> {
    for (let copied = 0; copied < length;) {
      const { bytesRead } = await source.read(memory, 0, Math.min(memory.length, length - copied), from + copied);
      // The plan was made for this very file, so somebody has cut it meanwhile: a fault of ours, and none of the picture's.
      if (bytesRead === 0) throw new Error('The received file became shorter while it was copied.');
      await write(memory.subarray(0, bytesRead));
      copied += bytesRead;
    }
  }

  async function writeZeros(count: number): Promise<void> {
    memory.fill(0);
    for (let left = count; left > 0; left -= memory.length)
      await write(memory.subarray(0, Math.min(left, memory.length)));
  }

  try {
    for (const piece of pieces) {
      if ('bytes' in piece) await write(piece.bytes);
      else if ('zeros' in piece) await writeZeros(piece.zeros);
      else await copy(piece.from, piece.length);
    }
    await target.close();
  } catch (error) {
    await target.close().catch(() => {});
    await rm(to, { force: true });
    throw error;
  }
  return { bytes, sha256: hash.digest('hex') };
}
