import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import type { WrittenFile } from '../../ports/written-file.ts';
import { createWrittenFile } from '../filesystem/written-file.ts';
import type { PictureReader } from './picture-reader.ts';
import type { Piece } from './plan.ts';

const ZEROS = Buffer.alloc(64 * 1024);

/** Writes the pieces of a picture to a new file, to be closed by the caller. When it rejects, there is no such file. */
export async function carryOut(
  pieces: readonly Piece[],
  picture: PictureReader,
  to: string,
): Promise<{ file: WrittenFile; bytes: number; sha256: string }> {
  const target = await open(to, 'wx', 0o600);
  const hash = createHash('sha256');
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
      const bytes = (await picture.look(from + copied)).subarray(0, length - copied);
      // The plan was made for this very file, so somebody has cut it meanwhile: a fault of ours, and none of the picture's.
      if (bytes.length === 0) throw new Error('The received file became shorter while it was copied.');
      await write(bytes);
      copied += bytes.length;
    }
  }

  async function writeZeros(count: number): Promise<void> {
    for (let left = count; left > 0; left -= ZEROS.length) await write(ZEROS.subarray(0, Math.min(left, ZEROS.length)));
  }

  try {
    for (const piece of pieces) {
      if ('bytes' in piece) await write(piece.bytes);
      else if ('zeros' in piece) await writeZeros(piece.zeros);
      else await copy(piece.from, piece.length);
    }
  } catch (error) {
    await target.close().catch(() => {});
    await rm(to, { force: true });
    throw error;
  }
  return { file: createWrittenFile(to, target), bytes, sha256: hash.digest('hex') };
}
