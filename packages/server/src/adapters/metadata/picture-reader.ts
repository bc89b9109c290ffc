import type { FileHandle } from 'node:fs/promises';
import { damaged } from './damaged.ts';
import type { MarkerFinder } from './marker-finder.ts';

/** Few headers are further apart than this in files with many of them, so most are read from memory. */
const WINDOW_BYTES = 256 * 1024;

/** Random access to a picture. */
export interface PictureReader {
  /** Bytes. */
  readonly size: number;
  /** What was seen of it while it arrived. */
  readonly markers: MarkerFinder | null;
  /**
   * A copy of the bytes at a place. Whoever asks bounds `length`, which is a claim of the file's more often than not.
   *
   * @throws AppError `image_invalid` where the file ends before
   */
  read(at: number, length: number): Promise<Buffer>;
  /** The bytes from a place on, as many as are at hand: fewer than `least` at the file's end only. The next call overwrites them. */
  look(at: number, least?: number): Promise<Buffer>;
}

/** Of a file, through one window of memory. */
export function createFileReader(file: FileHandle, size: number, markers: MarkerFinder | null): PictureReader {
  const memory = Buffer.allocUnsafe(Math.min(WINDOW_BYTES, size));
  let start = 0;
  let end = 0;

  async function look(at: number, least = 1): Promise<Buffer> {
    if (at < start || at + least > end) {
      start = at;
      end = at + (await fill(memory, at));
    }
    return memory.subarray(at - start, end - start);
  }

  async function fill(target: Buffer, at: number): Promise<number> {
    const wanted = Math.min(target.length, size - at);
    let filled = 0;
    while (filled < wanted) {
      const { bytesRead } = await file.read(target, filled, wanted - filled, at + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled;
  }

  return {
    size,
    markers,
    look,

    async read(at, length) {
      refuseBeyond(size, at + length);
      if (length <= memory.length) return Buffer.from((await look(at, length)).subarray(0, length));
      const bytes = Buffer.alloc(length);
      await fill(bytes, at);
      return bytes;
    },
  };
}

/** Of a picture that is in memory. */
export function createMemoryReader(content: Buffer, markers: MarkerFinder | null): PictureReader {
  const size = content.length;
  return {
    size,
    markers,
    look: (at) => Promise.resolve(content.subarray(at)),

    async read(at, length) {
      refuseBeyond(size, at + length);
      return Buffer.from(content.subarray(at, at + length));
    },
  };
}

function refuseBeyond(size: number, end: number): void {
  if (end > size) throw damaged('it ends in the middle of a part');
}
