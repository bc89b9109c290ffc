import { cleanProfile, MAX_PROFILE_BYTES } from './clean-profile.ts';
import { damaged } from './damaged.ts';
import { findLzwEnd } from './find-lzw-end.ts';
import type { PictureReader } from './picture-reader.ts';
import type { Plan } from './plan.ts';
import type { Went } from './went.ts';

const EXTENSION = 0x21;
const IMAGE = 0x2c;
const TRAILER = 0x3b;

const GRAPHIC_CONTROL = 0xf9;
const APPLICATION = 0xff;

/** Comments and plain texts. */
const WENT_BY_LABEL: Record<number, Went> = { 0xfe: 'comment', 0x01: 'text' };

/** How often the frames are shown, as every browser knows it; and the colour profile. */
const LOOPS = new Set(['NETSCAPE2.0', 'ANIMEXTS1.0']);
const PROFILE = 'ICCRGBG1012';

/** Of an application's extension before its data. */
const APPLICATION_BYTES = 14;

const MAX_SUB_BLOCK = 255;

/** The plan for a GIF (GIF89a specification). */
export async function planGif(picture: PictureReader, plan: Plan): Promise<void> {
  const start = await picture.read(0, 13);
  if (!/^GIF8[79]a$/.test(start.toString('latin1', 0, 6))) throw damaged('it does not begin as a GIF does');
  let at = 13 + colourTableBytes(start.readUInt8(10));
  plan.keep(0, at);
  let hasImage = false;

  for (;;) {
    plan.step();
    const block = (await picture.look(at))[0];
    // Browsers show a GIF that lacks its last byte, and so do we.
    if (block === undefined && at === picture.size && hasImage) {
      plan.insert(Buffer.from([TRAILER]));
      return;
    }
    if (block === TRAILER) {
      if (!hasImage) throw damaged('it holds no picture');
      plan.keep(at, 1);
      if (at + 1 < picture.size) plan.remove('data after the end');
      return;
    }
    if (block === IMAGE) {
      at = await keepImage(picture, plan, at);
      hasImage = true;
    } else if (block === EXTENSION) {
      const label = (await picture.read(at, 2)).readUInt8(1);
      const end = await skipSubBlocks(picture, at + 2);
      if (label === GRAPHIC_CONTROL) {
        // Four bytes in one block: anything else is none.
        if (end - at !== 8) throw damaged('one of its parts has an impossible length');
        // Even before a text: programs that show no texts, which is all of them, heed it for the next image.
        plan.keep(at, 8);
      } else if (label === APPLICATION) await keepApplication(picture, plan, at, end);
      else plan.remove(WENT_BY_LABEL[label] ?? 'private data of a program');
      at = end;
    } else throw damaged('it holds a part that no GIF has');
  }
}

/** Keeps an image up to the last of its pixels. @returns where the next block is */
async function keepImage(picture: PictureReader, plan: Plan, at: number): Promise<number> {
  const header = await picture.read(at, 10);
  const pixels = header.readUInt16LE(5) * header.readUInt16LE(7);
  const bitsAt = at + 10 + colourTableBytes(header.readUInt8(9));
  const literalBits = (await picture.read(bitsAt, 1)).readUInt8();
  if (literalBits < 1 || literalBits > 11) throw damaged('one of its frames holds no picture');
  const end = await skipSubBlocks(picture, bitsAt + 1);
  const last = await findLzwEnd(picture, bitsAt + 1, literalBits, pixels);
  const usedEnd = last === null ? end - 1 : last.block + 1 + last.used;
  if (last === null || usedEnd === end - 1) plan.keep(at, end - at);
  else {
    plan.remove('data between the parts');
    plan.keep(at, last.block - at);
    plan.insert(Buffer.from([last.used]));
    plan.keep(last.block + 1, last.used);
    plan.zeros(1);
  }
  return end;
}

async function keepApplication(picture: PictureReader, plan: Plan, at: number, end: number): Promise<void> {
  const start = await picture.read(at, Math.min(end - at, 64));
  const name = start[2] === 11 ? start.toString('latin1', 3, 14) : '';
  if (LOOPS.has(name) && start[14] === 3 && start[15] === 1 && start.length >= 18) {
    if (end - at === 19) plan.keep(at, 19);
    // More than the count: buffer sizes, which no browser heeds, or anything.
    else plan.insert(Buffer.concat([start.subarray(0, 18), Buffer.alloc(1)]));
  } else if (name === PROFILE) await keepProfile(picture, plan, at, end);
  else plan.remove(name === 'XMP DataXMP' ? 'XMP' : 'private data of a program');
}

/** Keeps a colour profile, which is cut into sub-blocks. */
async function keepProfile(picture: PictureReader, plan: Plan, at: number, end: number): Promise<void> {
  const from = at + APPLICATION_BYTES;
  const blocks = await picture.read(from, Math.min(end - from, MAX_PROFILE_BYTES));
  const parts: Buffer[] = [];
  for (let at = 0; at < blocks.length; at += 1 + (blocks[at] ?? 0))
    parts.push(blocks.subarray(at + 1, at + 1 + (blocks[at] ?? 0)));
  const profile = Buffer.concat(parts);
  const clean = cleanProfile(profile);
  if (clean?.equals(profile) === true) return plan.keep(at, end - at);

  plan.remove('private data of a program');
  if (clean === null) return;
  plan.keep(at, APPLICATION_BYTES);
  for (let done = 0; done < clean.length; done += MAX_SUB_BLOCK) {
    const part = clean.subarray(done, done + MAX_SUB_BLOCK);
    plan.insert(Buffer.concat([Buffer.from([part.length]), part]));
  }
  plan.zeros(1);
}

/** Where the sub-blocks end that begin at `from`: behind the empty one. */
async function skipSubBlocks(picture: PictureReader, from: number): Promise<number> {
  for (let at = from; ;) {
    const bytes = await picture.look(at);
    if (bytes.length === 0) throw damaged('it ends in the middle of a part');
    let index = 0;
    while (index < bytes.length) {
      const length = bytes[index] ?? 0;
      index += 1 + length;
      if (length === 0) return at + index;
    }
    at += index;
  }
}

function colourTableBytes(flags: number): number {
  return flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0;
}
