import { damaged } from './damaged.ts';
import { EOI, isFrame, segmentsOf, SOS } from './jpeg-segments.ts';
import { keepTables, readUsedTables, TABLES } from './jpeg-tables.ts';
import type { PictureReader } from './picture-reader.ts';
import type { Plan } from './plan.ts';
import { PROFILE_NAME, readJpegProfile, type JpegProfile } from './read-jpeg-profile.ts';
import { reduceExif } from './reduce-exif.ts';
import type { Went } from './went.ts';

const DNL = 0xdc;
const APP0 = 0xe0;
const APP15 = 0xef;
const COM = 0xfe;

/** Bytes of a JFIF header without the thumbnail, and of an Adobe one, without the marker. */
const JFIF_BYTES = 16;
const ADOBE_BYTES = 14;

/** Enough to tell an application's segment by. */
const LONGEST_START = 32;

/** What remains of a segment behind its length, the name, and the part's number and count. */
const PROFILE_PART_BYTES = 65_535 - 2 - PROFILE_NAME.length - 2;

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
  let hasLines = false;
  let usedTables: Set<number> | undefined;

  for await (const segment of segmentsOf(picture, plan)) {
    const { code, at, length, end, garbage } = segment;
    if (garbage) plan.remove('data between the parts');
    if (code === EOI) {
      if (!hasFrame || !hasScan) throw damaged('it holds no picture');
      plan.keep(at, 2);
      if (end < picture.size) plan.remove('data after the end');
    } else if ((code >= APP0 && code <= APP15) || code === COM) {
      await keepApplication(code, at, length);
    } else if (isFrame(code)) {
      if (hasFrame || length < 8 || length !== 8 + 3 * (await picture.read(at + 9, 1)).readUInt8())
        throw damaged('its frame has an impossible length');
      hasFrame = true;
      plan.keep(at, 2 + length);
    } else if (code === SOS) {
      if (!hasFrame || length < 6 || length !== 6 + 2 * (await picture.read(at + 4, 1)).readUInt8())
        throw damaged('one of its scans has an impossible length');
      hasScan = true;
      plan.keep(at, end - at);
    } else if (TABLES.has(code)) {
      usedTables ??= await readUsedTables(picture, plan);
      await keepTables(picture, plan, segment, usedTables);
    } else if (code === DNL && length === 4) {
      // The number of lines, which there is once.
      if (hasLines) plan.remove('data between the parts');
      else plan.keep(at, 2 + length);
      hasLines = true;
    } else throw damaged('it holds a part that no JPEG has');
  }
}

/** Of the segments that programs leave: keeps what the colours need, turns Exif into the orientation alone, names the rest. */
function createApplicationKeeper(picture: PictureReader, plan: Plan) {
  const seen = new Set<string>();
  let profile: JpegProfile | undefined;

  function isFirst(what: string): boolean {
    if (seen.has(what)) return false;
    seen.add(what);
    return true;
  }

  return async (code: number, at: number, length: number): Promise<void> => {
    const start = await picture.read(at + 4, Math.min(length - 2, LONGEST_START));
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
      // Of several the first counts, even where it does not say how to turn the picture.
      const counts = isFirst('Exif');
      const reduced = await reduceExif(picture, plan, at + 10, length - 8);
      if (reduced !== null && counts) plan.insert(segment(code, Buffer.from('Exif\0\0'), reduced));
    } else if (code === 0xe2 && starts(PROFILE_NAME)) {
      profile ??= await readJpegProfile(picture, plan);
      if (!profile.parts.some((part) => part.at === at)) plan.remove('private data of a program');
      // Where the first of its parts is, all of them go.
      else if (isFirst('profile')) keepProfile(plan, profile);
    } else {
      const known = APPLICATIONS.find(([marker, text]) => marker === code && starts(text));
      plan.remove(known?.[2] ?? 'private data of a program');
    }
  };
}

function keepProfile(plan: Plan, { parts, profile, clean }: JpegProfile): void {
  if (clean.equals(profile)) {
    for (const { at, end } of parts) plan.keep(at, end - at);
    return;
  }
  plan.remove('private data of a program');
  const total = Math.ceil(clean.length / PROFILE_PART_BYTES);
  for (let part = 0; part < total; part += 1) {
    const bytes = clean.subarray(part * PROFILE_PART_BYTES, (part + 1) * PROFILE_PART_BYTES);
    plan.insert(segment(0xe2, Buffer.from(PROFILE_NAME), Buffer.from([part + 1, total]), bytes));
  }
}

function segment(code: number, ...payload: Buffer[]): Buffer {
  const body = Buffer.concat(payload);
  const header = Buffer.from([0xff, code, 0, 0]);
  header.writeUInt16BE(2 + body.length, 2);
  return Buffer.concat([header, body]);
}
