import { deflateSync } from 'node:zlib';
import { cleanProfile, MAX_PROFILE_BYTES } from './clean-profile.ts';
import { crc32 } from './crc32.ts';
import { damaged } from './damaged.ts';
import { inflateProfile } from './inflate-profile.ts';
import { isSoundAnimation } from './is-sound-animation.ts';
import type { PictureReader } from './picture-reader.ts';
import type { Plan } from './plan.ts';
import { reduceExif } from './reduce-exif.ts';
import type { Went } from './went.ts';

const SIGNATURE = '89504e470d0a1a0a';

/** Length, type and checksum, around the data. */
const FRAME_BYTES = 12;

/** What says how the pixels are to be shown: once each, before the pixels, and no longer than it can be. */
const DISPLAY: Record<string, (length: number) => boolean> = {
  gAMA: (length) => length === 4,
  cHRM: (length) => length === 32,
  sRGB: (length) => length === 1,
  cICP: (length) => length === 4,
  mDCV: (length) => length === 24,
  cLLI: (length) => length === 8,
  sBIT: (length) => length <= 4,
  tRNS: (length) => length <= 256,
  bKGD: (length) => length <= 6,
  pHYs: (length) => length === 9,
  acTL: (length) => length === 8,
};

/** What a text is by its keyword; other keywords are just text. */
const TEXTS = new Map<string, Went>([
  ['Author', 'author'],
  ['Copyright', 'author'],
  ['Artist', 'author'],
  ['Software', 'software'],
  ['Comment', 'comment'],
  ['Description', 'comment'],
  ['Creation Time', 'date taken'],
  ['XML:com.adobe.xmp', 'XMP'],
  ['Raw profile type xmp', 'XMP'],
  ['Raw profile type exif', 'Exif'],
  ['Raw profile type APP1', 'Exif'],
  ['Raw profile type iptc', 'IPTC'],
]);

/** A keyword's and a profile name's longest. */
const NAME_BYTES = 79;

/** A picture has one. To look whether it is one takes time, for it may be inflated to a thousand times its length. */
const MAX_PROFILES = 4;

/** A profile's name that can be left as it is: neither a tag nor a script. */
const PLAIN_NAME = /^[\w .,:()+-]{1,79}$/;

/** The plan for a PNG, moving or not (PNG 3rd edition, sections 5 and 11). */
export async function planPng(picture: PictureReader, plan: Plan): Promise<void> {
  if ((await picture.read(0, 8)).toString('hex') !== SIGNATURE) throw damaged('it does not begin as a PNG does');
  plan.keep(0, 8);
  const kept = new Set<string>();

  let previous = '';
  let profiles = 0;
  for (let at = 8, next; ; at = next) {
    plan.step();
    const header = await picture.read(at, 8);
    const length = header.readUInt32BE();
    const type = header.toString('latin1', 4);
    next = at + FRAME_BYTES + length;
    if (!/^[A-Za-z]{4}$/.test(type) || next > picture.size) throw damaged('one of its parts has an impossible length');
    if ((type === 'IHDR') !== (at === 8)) throw damaged('its header is not where it belongs');
    // Without what stands between them, pixels that no decoder takes would become a picture.
    if (type === 'IDAT' && kept.has(type) && previous !== type) throw damaged('its pixels do not follow each other');
    previous = type;
    // Of several that are as they should be the first counts.
    const isFirst = !kept.has(type);
    const beforePixels = !kept.has('IDAT');

    if (type === 'IEND') {
      if (beforePixels || length !== 0) throw damaged('it ends before its pixels');
      plan.keep(at, FRAME_BYTES);
      if (next < picture.size) plan.remove('data after the end');
      return;
    }
    if (type === 'acTL' && beforePixels && isFirst && !(await isSoundAnimation(picture, plan, next))) {
      // The first picture is one all the same.
      plan.remove('second picture');
    } else if (isPixels(type, length, kept) || (isFirst && beforePixels && DISPLAY[type]?.(length))) {
      plan.keep(at, next - at);
      kept.add(type);
    } else if (type === 'iCCP' && isFirst && beforePixels && profiles < MAX_PROFILES) {
      profiles += 1;
      if (await keepProfile(picture, plan, at, length)) kept.add(type);
      else plan.remove('private data of a program');
    } else if (type === 'eXIf') {
      const reduced = await reduceExif(picture, plan, at + 8, length);
      // Of several the first counts, even where it does not say how to turn the picture.
      kept.add(type);
      if (reduced !== null && isFirst) plan.insert(chunk(type, reduced));
    } else if (/^[A-Z]/.test(type)) {
      // A part without which the picture cannot be shown, so no decoder shows it.
      throw damaged('it holds a part that no PNG has');
    } else plan.remove(await nameChunk(picture, type, at + 8, length));
  }
}

function isPixels(type: string, length: number, kept: ReadonlySet<string>): boolean {
  switch (type) {
    case 'IHDR':
      return length === 13;
    case 'PLTE':
      return length <= 768 && !kept.has('PLTE') && !kept.has('IDAT');
    // Frames of a picture that does not move are seen by nobody.
    case 'fcTL':
      return length === 26 && kept.has('acTL');
    case 'fdAT':
      return length >= 4 && kept.has('acTL');
    default:
      return type === 'IDAT';
  }
}

/** Keeps a colour profile: under a name of ours where its own could hold anything, and without what is none of it. */
async function keepProfile(picture: PictureReader, plan: Plan, at: number, length: number): Promise<boolean> {
  const data = await picture.read(at + 8, Math.min(length, MAX_PROFILE_BYTES));
  const nameEnd = data.indexOf(0);
  if (nameEnd === -1 || nameEnd > NAME_BYTES || data[nameEnd + 1] !== 0) return false;
  const deflated = data.subarray(nameEnd + 2);
  const inflated = await inflateProfile(deflated);
  const clean = inflated === null ? null : cleanProfile(inflated.profile);
  if (inflated === null || clean === null) return false;

  const isClean = clean.equals(inflated.profile);
  const isPlain = PLAIN_NAME.test(data.toString('latin1', 0, nameEnd));
  if (isClean && isPlain && nameEnd + 2 + inflated.bytes === length) {
    plan.keep(at, FRAME_BYTES + length);
    return true;
  }
  if (!isClean || nameEnd + 2 + inflated.bytes < length) plan.remove('private data of a program');
  const name = isPlain ? data.subarray(0, nameEnd + 2) : Buffer.from('ICC profile\0\0');
  plan.insert(
    chunk('iCCP', Buffer.concat([name, isClean ? deflated.subarray(0, inflated.bytes) : deflateSync(clean)])),
  );
  return true;
}

async function nameChunk(picture: PictureReader, type: string, at: number, length: number): Promise<Went> {
  if (type === 'tIME') return 'time stamp';
  if (type === 'caBX') return 'Content Credentials';
  if (type !== 'tEXt' && type !== 'zTXt' && type !== 'iTXt') return 'private data of a program';
  const start = (await picture.read(at, Math.min(length, NAME_BYTES + 1))).toString('latin1');
  return TEXTS.get(start.slice(0, Math.max(0, start.indexOf('\0')))) ?? 'text';
}

function chunk(type: string, data: Buffer): Buffer {
  const bytes = Buffer.alloc(FRAME_BYTES + data.length);
  bytes.writeUInt32BE(data.length);
  bytes.write(type, 4, 'latin1');
  data.copy(bytes, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, -4)), bytes.length - 4);
  return bytes;
}
