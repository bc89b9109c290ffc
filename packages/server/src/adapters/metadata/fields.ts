import { damaged } from './damaged.ts';
import type { Box } from './boxes.ts';
import type { PictureReader } from './picture-reader.ts';

/** Tables of a box are read in turns, and fetched this much at a time, so that the turns do not cost a read each. */
const BLOCK_BYTES = 4096;

/** Reads a box's fields one after the other, and never behind its end. */
export interface Fields {
  /** Where the next field begins. */
  readonly at: number;
  readonly end: number;
  /** An unsigned number of 0, 1, 2, 4 or 8 bytes; one of none is 0. */
  number(bytes: number): Promise<number>;
  text(bytes: number): Promise<string>;
  skip(bytes: number): void;
}

export function createFields(picture: PictureReader, { body, end }: Box): Fields {
  let at = body;
  let block: Buffer = Buffer.alloc(0);
  let blockAt = at;

  function skip(bytes: number): void {
    if (at + bytes > end) throw damaged('one of its parts has an impossible length');
    at += bytes;
  }

  async function read(bytes: number): Promise<Buffer> {
    const from = at;
    skip(bytes);
    if (from < blockAt || at > blockAt + block.length) {
      blockAt = from;
      block = await picture.read(from, Math.max(bytes, Math.min(BLOCK_BYTES, end - from)));
    }
    return block.subarray(from - blockAt, at - blockAt);
  }

  return {
    get at() {
      return at;
    },
    end,
    skip,

    async number(bytes) {
      const field = await read(bytes);
      if (bytes === 8) return Number(field.readBigUInt64BE());
      return bytes === 0 ? 0 : field.readUIntBE(0, bytes);
    },

    async text(bytes) {
      return (await read(bytes)).toString('latin1');
    },
  };
}
