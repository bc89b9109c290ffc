import { cleanProfile, MAX_PROFILE_BYTES } from './clean-profile.ts';
import { damaged } from './damaged.ts';
import type { PictureReader } from './picture-reader.ts';
import type { Plan } from './plan.ts';
import { reduceExif } from './reduce-exif.ts';
import type { Went } from './went.ts';

/** Bytes of the parts whose length is fixed. Decoders skip what follows in them. */
const VP8X_BYTES = 10;
const ANIM_BYTES = 6;
const ANMF_HEADER_BYTES = 16;

/** Flags in VP8X. */
const ICC = 0x20;
const ALPHA = 0x10;
const EXIF = 0x08;
const ANIMATION = 0x02;

interface Chunk {
  type: string;
  at: number;
  /** Of the data, which begins at `at` + 8. */
  length: number;
  /** Where the next begins: at an even distance. */
  next: number;
}

/** The plan for a WebP, moving or not (RFC 9649, section 2). */
export async function planWebp(picture: PictureReader, plan: Plan): Promise<void> {
  const riff = await picture.read(0, 12);
  const end = 8 + riff.readUInt32LE(4);
  if (riff.toString('latin1', 0, 4) !== 'RIFF' || riff.toString('latin1', 8) !== 'WEBP')
    throw damaged('it does not begin as a WebP does');
  if (end > picture.size) throw damaged('it ends before its end');
  if (end < picture.size) plan.remove('data after the end');

  plan.insert(riff);
  const first = await readChunk(picture, 12, end);
  if (first.type === 'VP8X') await planExtended(picture, plan, first, end);
  else if (isPixels(first.type)) {
    keepChunk(plan, first);
    // Decoders look at nothing but the first.
    if (first.next < end) plan.remove('private data of a program');
  } else throw damaged('it does not begin as a WebP does');
  riff.writeUInt32LE(plan.length - 8, 4);
}

async function planExtended(picture: PictureReader, plan: Plan, first: Chunk, end: number): Promise<void> {
  if (first.length < VP8X_BYTES) throw damaged('its header has an impossible length');
  const header = await picture.read(first.at, 8 + VP8X_BYTES);
  header.writeUInt32LE(VP8X_BYTES, 4);
  plan.insert(header);
  const claimed = header.readUInt8(8);
  const isMoving = (claimed & ANIMATION) !== 0;
  let flags = claimed & (ALPHA | ANIMATION);
  const seen = new Set<string>();

  for (let at = first.next; at < end;) {
    plan.step();
    const chunk = await readChunk(picture, at, end);
    at = chunk.next;
    const { type, length } = chunk;
    const kind = isPixels(type) ? 'pixels' : type;
    const isFirst = !seen.has(kind);
    seen.add(kind);

    if (type === 'ANMF' && isMoving) await planFrame(picture, plan, chunk);
    else if (!isFirst) plan.remove(nameChunk(type));
    else if ((kind === 'pixels' || (type === 'ALPH' && !seen.has('pixels'))) && !isMoving) keepChunk(plan, chunk);
    else if (type === 'ANIM' && isMoving) {
      if (length < ANIM_BYTES) throw damaged('one of its parts has an impossible length');
      keepChunk(plan, chunk, ANIM_BYTES, await picture.read(chunk.at, 8));
      // Decoders look for a profile and for Exif where the header claims them alone.
    } else if (type === 'ICCP' && (claimed & ICC) !== 0) {
      if (await keepProfile(picture, plan, chunk)) flags |= ICC;
    } else if (type === 'EXIF') {
      const reduced = await reduceExif(picture, plan, chunk.at + 8, length);
      if (reduced === null || (claimed & EXIF) === 0) continue;
      flags |= EXIF;
      insertChunk(plan, type, reduced);
    } else plan.remove(nameChunk(type));
  }
  if (!seen.has(isMoving ? 'ANMF' : 'pixels')) throw damaged('it holds no picture');
  header.writeUInt8(flags, 8);
  header.fill(0, 9, 12);
}

async function keepProfile(picture: PictureReader, plan: Plan, chunk: Chunk): Promise<boolean> {
  const profile = await picture.read(chunk.at + 8, Math.min(chunk.length, MAX_PROFILE_BYTES));
  const clean = cleanProfile(profile);
  if (clean !== null && clean.length === chunk.length && clean.equals(profile)) keepChunk(plan, chunk);
  else {
    plan.remove('private data of a program');
    if (clean !== null) insertChunk(plan, chunk.type, clean);
  }
  return clean !== null;
}

/** One frame of a moving picture: its place and time, and chunks of its own. */
async function planFrame(picture: PictureReader, plan: Plan, frame: Chunk): Promise<void> {
  const end = frame.at + 8 + frame.length;
  const kept: Chunk[] = [];
  for (let at = frame.at + 8 + ANMF_HEADER_BYTES; at < end;) {
    plan.step();
    const chunk = await readChunk(picture, at, end);
    at = chunk.next;
    const isAlpha = chunk.type === 'ALPH' && kept.length === 0;
    if (isAlpha || (isPixels(chunk.type) && !kept.some(({ type }) => isPixels(type)))) kept.push(chunk);
    else plan.remove(nameChunk(chunk.type));
  }
  const pixels = kept.at(-1);
  if (pixels === undefined || !isPixels(pixels.type)) throw damaged('one of its frames holds no picture');

  const header = await picture.read(frame.at, 8 + ANMF_HEADER_BYTES);
  let length = ANMF_HEADER_BYTES;
  for (const chunk of kept) length += paddedBytes(chunk.length);
  header.writeUInt32LE(length, 4);
  if (length === frame.length) plan.keep(frame.at, header.length);
  else plan.insert(header);
  for (const chunk of kept) keepChunk(plan, chunk);
}

async function readChunk(picture: PictureReader, at: number, end: number): Promise<Chunk> {
  if (at + 8 > end) throw damaged('it ends in the middle of a part');
  const header = await picture.read(at, 8);
  const length = header.readUInt32LE(4);
  if (at + 8 + length > end) throw damaged('one of its parts has an impossible length');
  return { type: header.toString('latin1', 0, 4), at, length, next: at + paddedBytes(length) };
}

/** Keeps a chunk, or its first bytes under a header of that length, with a padding byte that is zero. */
function keepChunk(plan: Plan, chunk: Chunk, length = chunk.length, header?: Buffer): void {
  if (header === undefined || length === chunk.length) plan.keep(chunk.at, 8 + length);
  else {
    header.writeUInt32LE(length, 4);
    plan.insert(header);
    plan.keep(chunk.at + 8, length);
  }
  if (length % 2 === 1) plan.zeros(1);
}

function insertChunk(plan: Plan, type: string, data: Buffer): void {
  const header = Buffer.alloc(8, type);
  header.writeUInt32LE(data.length, 4);
  plan.insert(Buffer.concat([header, data]));
  plan.zeros(data.length % 2);
}

/** With the header, and a byte more where the length is odd. */
function paddedBytes(length: number): number {
  return 8 + length + (length % 2);
}

function isPixels(type: string): boolean {
  return type === 'VP8 ' || type === 'VP8L';
}

function nameChunk(type: string): Went {
  if (type === 'XMP ') return 'XMP';
  if (type === 'EXIF') return 'Exif';
  return type === 'C2PA' ? 'Content Credentials' : 'private data of a program';
}
