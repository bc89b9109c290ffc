import { damaged } from './damaged.ts';
import { isMarkerCode, isRestart } from './marker-finder.ts';
import type { PictureReader } from './picture-reader.ts';
import type { Plan } from './plan.ts';

export const EOI = 0xd9;
export const SOS = 0xda;

/** A part of a JPEG (ITU-T T.81, annex B.1.1.4). */
export interface Segment {
  code: number;
  at: number;
  /** As it says itself: without the marker, and without the compressed pixels behind a scan's header. 0 for the end marker. */
  length: number;
  /** Behind all that is its own. */
  end: number;
  /** Whether something lies before it that is no part. */
  garbage: boolean;
}

/**
 * The segments of a JPEG up to the end marker, which is the last.
 *
 * @throws AppError `image_invalid` where there is none
 */
export async function* segmentsOf(picture: PictureReader, plan: Plan): AsyncGenerator<Segment> {
  for (let at = 2, garbage = false; ;) {
    plan.step();
    const marker = await findMarker(picture, at, plan);
    garbage ||= marker.garbage;
    const { code } = marker;
    at = marker.at;
    if (code === EOI) {
      yield { code, at, length: 0, end: at + 2, garbage };
      return;
    }
    if (isAlone(code)) {
      at += 2;
      continue;
    }
    const length = (await picture.read(at + 2, 2)).readUInt16BE();
    let end = at + 2 + length;
    if (length < 2 || end > picture.size) throw damaged('one of its parts has an impossible length');
    if (code === SOS) end = await findScanEnd(picture, end);
    yield { code, at, length, end, garbage };
    at = end;
    garbage = false;
  }
}

/** The next marker. Decoders skip what lies before it, and 0xff may be repeated to fill. */
async function findMarker(
  picture: PictureReader,
  from: number,
  plan: Plan,
): Promise<{ at: number; code: number; garbage: boolean }> {
  let garbage = false;
  for (let at = from; ;) {
    const bytes = await picture.look(at);
    if (bytes.length === 0) throw withoutEnd();
    const found = bytes.indexOf(0xff);
    if (found !== 0) garbage = true;
    if (found === -1) {
      at += bytes.length;
      continue;
    }
    at += found;
    const code = (await picture.read(at + 1, 1)).readUInt8();
    if (code !== 0xff && code !== 0) return { at, code, garbage };
    if (code === 0) garbage = true;
    at += 1;
    plan.step();
  }
}

/** Where the compressed pixels end that begin at `from`: at the first marker that is none of theirs. */
async function findScanEnd(picture: PictureReader, from: number): Promise<number> {
  const found = picture.markers?.next(from);
  if (found === null) throw withoutEnd();
  return found ?? searchScanEnd(picture, from);
}

async function searchScanEnd(picture: PictureReader, from: number): Promise<number> {
  for (let at = from; ;) {
    // Two bytes at the least, for a marker may lie across the end of those at hand.
    const bytes = await picture.look(at, 2);
    if (bytes.length < 2) throw withoutEnd();
    let index = bytes.indexOf(0xff);
    while (index !== -1 && index + 1 < bytes.length) {
      if (isMarkerCode(bytes[index + 1])) return at + index;
      index = bytes.indexOf(0xff, index + 1);
    }
    at += index === -1 ? bytes.length : index;
  }
}

/** Without a length: a restart out of place, or TEM. */
function isAlone(code: number): boolean {
  return isRestart(code) || code === 0x01;
}

/** SOF0 to SOF15, of which three numbers are taken by other parts. */
export function isFrame(code: number): boolean {
  return code >= 0xc0 && code <= 0xcf && code !== 0xc4 && code !== 0xc8 && code !== 0xcc;
}

function withoutEnd(): Error {
  return damaged('it ends before its end marker');
}
