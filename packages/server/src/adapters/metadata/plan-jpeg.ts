import { damaged } from './damaged.ts';
import { ICC_HEADER_BYTES, isIccProfile } from './is-icc-profile.ts';
import type { PictureReader } from './picture-reader.ts';
import type { Plan } from './plan.ts';
import { reduceExif } from './reduce-exif.ts';
import type { Went } from './went.ts';

const EOI = 0xd9;
const SOS = 0xda;
const DNL = 0xdc;
const DRI = 0xdd;
const APP0 = 0xe0;
const APP15 = 0xef;
const COM = 0xfe;

/** DHT, DAC and DQT, which say themselves how long they are: decoders refuse those that are longer. */
const TABLES = new Set([0xc4, 0xcc, 0xdb]);

/** Bytes of a JFIF header without the thumbnail, and of an Adobe one, without the marker. */
const JFIF_BYTES = 16;
const ADOBE_BYTES = 14;

/** Applications' segments that go, by their first bytes. */
const APPLICATIONS: [marker: number, starts: string, went: Went][] = [
  [0xe0, 'JFXX\0', 'thumbnail'],
  [0xe1, 'http://ns.adobe.com/', 'XMP'],
  [0xe2, 'MPF\0', 'second picture'],
  [0xeb, 'JP', 'Content Credentials'],
  [0xed, 'Photoshop 3.0\0', 'IPTC'],
];

/** The plan for a JPEG (ITU-T T.81, annex B). */
export async function planJpeg(picture: PictureReader, plan: Plan): Promise<void> {
  if ((await picture.read(0, 2)).readUInt16BE() !== 0xff_d8) throw damaged('it does not begin as a JPEG does');
  plan.keep(0, 2);
  const keepApplication = createApplicationKeeper(picture, plan);
  let hasFrame = false;
  let hasScan = false;

  for (let at = 2; ;) {
    plan.step();
    const marker = await findMarker(picture, at, plan);
    if (marker.garbage) plan.remove('data between the parts');
    const { code } = marker;
    at = marker.at;

    if (code === EOI) {
      if (!hasFrame || !hasScan) throw damaged('it holds no picture');
      plan.keep(at, 2);
      if (at + 2 < picture.size) plan.remove('data after the end');
      return;
    }
    if (isAlone(code)) {
      at += 2;
      continue;
    }

    const length = (await picture.read(at + 2, 2)).readUInt16BE();
    const end = at + 2 + length;
    if (length < 2 || end > picture.size) throw damaged('one of its parts has an impossible length');
    if ((code >= APP0 && code <= APP15) || code === COM) {
      await keepApplication(code, at, length);
      at = end;
    } else if (isFrame(code)) {
      if (hasFrame || length < 8 || length !== 8 + 3 * (await picture.read(at + 9, 1)).readUInt8())
        throw damaged('its frame has an impossible length');
      hasFrame = true;
      plan.keep(at, 2 + length);
      at = end;
    } else if (code === SOS) {
      if (!hasFrame || length < 6 || length !== 6 + 2 * (await picture.read(at + 4, 1)).readUInt8())
        throw damaged('one of its scans has an impossible length');
      hasScan = true;
      const scanEnd = await findScanEnd(picture, end);
      plan.keep(at, scanEnd - at);
      at = scanEnd;
    } else if (TABLES.has(code) || ((code === DRI || code === DNL) && length === 4)) {
      plan.keep(at, 2 + length);
      at = end;
    } else throw damaged('it holds a part that no JPEG has');
  }
}

/** Of the segments that programs leave: keeps what the colours need, turns Exif into the orientation alone, names the rest. */
function createApplicationKeeper(picture: PictureReader, plan: Plan) {
  const seen = new Set<string>();
  let nextProfilePart = 1;

  function isFirst(what: string): boolean {
    if (seen.has(what)) return false;
    seen.add(what);
    return true;
  }

  return async (code: number, at: number, length: number): Promise<void> => {
    const start = await picture.read(at + 4, Math.min(length - 2, 14 + ICC_HEADER_BYTES));
    const starts = (text: string) => start.toString('latin1', 0, text.length) === text;

    if (code === COM) plan.remove('comment');
    else if (code === 0xe0 && starts('JFIF\0') && length >= JFIF_BYTES) {
      if (!isFirst('JFIF')) return;
      if (start.readUInt16BE(12) !== 0) plan.remove('thumbnail');
      if (length === JFIF_BYTES && start.readUInt16BE(12) === 0) plan.keep(at, 2 + length);
      else plan.insert(segment(code, start.subarray(0, 12), Buffer.alloc(2)));
    } else if (code === 0xee && starts('Adobe') && length >= ADOBE_BYTES) {
      if (!isFirst('Adobe')) return;
      if (length === ADOBE_BYTES) plan.keep(at, 2 + length);
      else plan.insert(segment(code, start.subarray(0, 12)));
    } else if (code === 0xe1 && starts('Exif\0') && length >= 8) {
      const reduced = await reduceExif(picture, plan, at + 10, length - 8);
      // Of several the first counts.
      if (reduced !== null && isFirst('Exif')) plan.insert(segment(code, Buffer.from('Exif\0\0'), reduced));
    } else if (code === 0xe2 && starts('ICC_PROFILE\0') && start.length >= 14) {
      // A profile is cut into parts, numbered from one (ICC.1:2022, annex B.4).
      const part = start.readUInt8(12);
      const isNext = part === nextProfilePart && (part > 1 || isIccProfile(start.subarray(14)));
      if (!isNext) return plan.remove('private data of a program');
      nextProfilePart += 1;
      plan.keep(at, 2 + length);
    } else {
      const known = APPLICATIONS.find(([marker, text]) => marker === code && starts(text));
      plan.remove(known?.[2] ?? 'private data of a program');
    }
  };
}

function segment(code: number, ...payload: Buffer[]): Buffer {
  const body = Buffer.concat(payload);
  const header = Buffer.from([0xff, code, 0, 0]);
  header.writeUInt16BE(2 + body.length, 2);
  return Buffer.concat([header, body]);
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
    if (bytes.length === 0) throw damaged('it ends before its end marker');
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
  for (let at = from; ;) {
    // Two bytes at the least, for a marker may lie across the end of those at hand.
    const bytes = await picture.look(at, 2);
    if (bytes.length < 2) throw damaged('it ends before its end marker');
    let index = bytes.indexOf(0xff);
    while (index !== -1 && index + 1 < bytes.length) {
      const code = bytes[index + 1] ?? 0;
      if (code !== 0 && code !== 0xff && !isRestart(code)) return at + index;
      index = bytes.indexOf(0xff, index + (code === 0xff ? 1 : 2));
    }
    at += index === -1 ? bytes.length : index;
  }
}

/** Divides compressed pixels so that damage does not spread. */
function isRestart(code: number): boolean {
  return code >= 0xd0 && code <= 0xd7;
}

/** Without a length: a restart out of place, or TEM. */
function isAlone(code: number): boolean {
  return isRestart(code) || code === 0x01;
}

/** SOF0 to SOF15, of which three numbers are taken by other parts. */
function isFrame(code: number): boolean {
  return code >= 0xc0 && code <= 0xcf && code !== 0xc4 && code !== 0xc8 && code !== 0xcc;
}
