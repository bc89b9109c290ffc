import { open, type FileHandle } from 'node:fs/promises';
import type { KnownPart } from '../../ports/incoming.ts';
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

interface PictureReaderOptions {
  path: string;
  /** Bytes. */
  size: number;
  /** What of it is in memory. */
  known: KnownPart[];
  markers: MarkerFinder | null;
}

/** Reads a picture's file through one window of memory, and opens it only for what is not in memory already. */
export function createPictureReader({ path, size, known, markers }: PictureReaderOptions) {
  let file: FileHandle | undefined;
  let memory: Buffer | undefined;
  let start = 0;
  let end = 0;

  async function look(at: number, least = 1): Promise<Buffer> {
    const part = known.find(({ at: from, bytes }) => {
      const to = from + bytes.length;
      return at >= from && (at + least <= to || to === size);
    });
    if (part !== undefined) return part.bytes.subarray(at - part.at);
    memory ??= Buffer.allocUnsafe(Math.min(WINDOW_BYTES, size));
    if (at < start || at + least > end) {
      start = at;
      end = at + (await fill(memory, at));
    }
    return memory.subarray(at - start, end - start);
  }

  async function fill(target: Buffer, at: number): Promise<number> {
    file ??= await open(path, 'r');
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
      if (at + length > size) throw damaged('it ends in the middle of a part');
      if (length <= WINDOW_BYTES) return Buffer.from((await look(at, length)).subarray(0, length));
      const bytes = Buffer.alloc(length);
      await fill(bytes, at);
      return bytes;
    },

    /** Never rejects: it was only read, and a copy that has been made would stay open, for nobody would be told of it. */
    async close() {
      await file?.close().catch(() => undefined);
    },
  } satisfies PictureReader & { close(): Promise<void> };
}
