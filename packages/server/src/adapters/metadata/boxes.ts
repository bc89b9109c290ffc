import { damaged } from './damaged.ts';
import type { PictureReader } from './picture-reader.ts';
import type { Plan } from './plan.ts';

/** A part of an ISO base media file (ISO/IEC 14496-12, section 4.2). */
export interface Box {
  type: string;
  at: number;
  /** Where its contents begin. */
  body: number;
  end: number;
}

/**
 * The boxes between two places, which they must fill.
 *
 * @throws AppError `image_invalid` where they do not
 */
export async function* boxesIn(picture: PictureReader, plan: Plan, from: number, end: number): AsyncGenerator<Box> {
  for (let at = from; at < end;) {
    const box = await readBox(picture, plan, at, end);
    if (box === null) throw damaged('one of its parts has an impossible length');
    yield box;
    at = box.end;
  }
}

/** The box at a place, or null where there is none that ends before `end`. */
export async function readBox(picture: PictureReader, plan: Plan, at: number, end: number): Promise<Box | null> {
  plan.step();
  if (at + 8 > end) return null;
  const header = await picture.read(at, 8);
  const type = header.toString('latin1', 4);
  let length = header.readUInt32BE();
  let body = at + 8;
  if (length === 1) {
    if (at + 16 > end) return null;
    const long = (await picture.read(at + 8, 8)).readBigUInt64BE();
    // Above what a number can hold, it is above the file's size as well.
    length = Number(long);
    body = at + 16;
    // To the end of the file, which only the last box there can be.
  } else if (length === 0 && end === picture.size) length = end - at;
  return at + length < body || at + length > end ? null : { type, at, body, end: at + length };
}
