import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from '../src/adapters/metadata/crc32.ts';
import { createMetadataStripper, stripMetadata } from '../src/adapters/metadata/strip-metadata.ts';
import type { ImageType } from '@imgup/shared';
import sharp, { type Sharp } from 'sharp';
import { expect } from 'vitest';

/** What the tests put where metadata can be, and look for behind. */
export const MARKER = '<script>alert("marker")</script>';

/** Strips a picture that is in memory, as a server does with a file. */
export async function strip(
  bytes: Uint8Array,
  type: ImageType,
): Promise<{ removed: string[]; bytes: Buffer; sha256: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'imgup-metadata-'));
  try {
    await writeFile(join(folder, 'from'), bytes);
    const { removed, sha256 } = await stripTo({ from: join(folder, 'from'), to: join(folder, 'to'), type });
    return { removed, bytes: await readFile(join(folder, 'to')), sha256 };
  } finally {
    await rm(folder, { recursive: true });
  }
}

type StripOptions = Pick<Parameters<typeof stripMetadata>[0], 'from' | 'to' | 'type'>;

/** As `stripMetadata`, and a copy where it makes none because nothing has to go. */
export async function stripTo(options: StripOptions): Promise<{ removed: string[]; bytes: number; sha256: string }> {
  const { size } = await stat(options.from);
  const stripping = stripMetadata({ ...options, bytes: size, known: [] });
  await expectTheSameOnArrival(options, await outcomeOf(stripping));
  const made = await stripping;
  if (made !== null) return made;
  const bytes = await readFile(options.from);
  await writeFile(options.to, bytes);
  return { removed: [], bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** Larger ones take the tests too long. */
const ARRIVING_BYTES = 1_000_000;

/** So that every kind of marker is cut somewhere. */
const PART_BYTES = 1021;

/** As a server does it: with what was seen while the picture arrived, and in memory where it is small. It must make no difference. */
async function expectTheSameOnArrival({ from, type }: StripOptions, outcome: unknown): Promise<void> {
  if ((await stat(from)).size > ARRIVING_BYTES) return;
  const bytes = await readFile(from);
  const all = { at: 0, bytes };
  const some = [0, bytes.length - PART_BYTES].map((at) => ({ at, bytes: bytes.subarray(at, at + PART_BYTES) }));
  for (const known of [[all], bytes.length > PART_BYTES ? some : [], []]) {
    const stripper = createMetadataStripper();
    for (let at = 0; at < bytes.length; at += PART_BYTES) stripper.watch(bytes.subarray(at, at + PART_BYTES));
    const to = `${from}.other`;
    expect(await outcomeOf(stripper.strip({ from, bytes: bytes.length, known, to, type }))).toEqual(outcome);
    await rm(to, { force: true });
  }
}

async function outcomeOf(stripping: ReturnType<typeof stripMetadata>): Promise<unknown> {
  try {
    const made = await stripping;
    await made?.file.close();
    return made === null ? null : { sha256: made.sha256, removed: made.removed, bytes: made.bytes };
  } catch (error) {
    return (error as Error).message;
  }
}

/** All that can be seen of a picture: every frame's pixels, turned as it is shown too, their times, and its colour profile. */
export async function looks(bytes: Uint8Array | string) {
  const [{ data, info }, turned, metadata] = await Promise.all([
    sharp(bytes, { animated: true }).raw().toBuffer({ resolveWithObject: true }),
    sharp(bytes).autoOrient().raw().toBuffer({ resolveWithObject: true }),
    sharp(bytes, { animated: true }).metadata(),
  ]);
  const { icc, delay, loop, pages, orientation, space, hasAlpha } = metadata;
  const digest = (pixels: Buffer) => createHash('sha256').update(pixels).digest('hex');
  return {
    pixels: digest(data),
    size: [info.width, info.height, info.channels],
    turned: digest(turned.data),
    turnedSize: [turned.info.width, turned.info.height],
    icc,
    delay,
    loop,
    pages,
    space,
    hasAlpha,
    orientation: orientation === 1 ? undefined : orientation,
  };
}

/** A picture with edges and gradients, so that a byte that moves is seen. */
export function detailed(width = 48, height = 32, seed = 1): Sharp {
  const data = Buffer.alloc(width * height * 3);
  for (let at = 0; at < data.length; at += 1) data[at] = (at * seed * 7 + (at >> 5) * 13) & 255;
  return sharp(data, { raw: { width, height, channels: 3 } });
}

/** Three frames of different times, shown twice. */
export async function moving(format: 'gif' | 'webp'): Promise<Buffer> {
  const frames = await Promise.all([1, 2, 3].map((seed) => detailed(24, 16, seed).png().toBuffer()));
  const joined = sharp(frames, { join: { animated: true } });
  const options = { delay: [100, 250, 400], loop: 2 };
  return format === 'gif' ? joined.gif(options).toBuffer() : joined.webp({ ...options, lossless: true }).toBuffer();
}

/** Puts bytes into others. */
export function insert(into: Buffer, at: number, ...bytes: Buffer[]): Buffer {
  return Buffer.concat([into.subarray(0, at), ...bytes, into.subarray(at)]);
}

export function jpegSegment(code: number, payload: Buffer | string): Buffer {
  const body = Buffer.from(payload);
  const header = Buffer.from([0xff, code, 0, 0]);
  header.writeUInt16BE(body.length + 2, 2);
  return Buffer.concat([header, body]);
}

export function pngChunk(type: string, payload: Buffer | string): Buffer {
  const data = Buffer.from(payload);
  const chunk = Buffer.alloc(12 + data.length);
  chunk.writeUInt32BE(data.length);
  chunk.write(type, 4, 'latin1');
  data.copy(chunk, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, -4)), 8 + data.length);
  return chunk;
}

/** A PNG as the two frames of a moving one, each for a tenth of a second. */
export function asApng(png: Buffer): Buffer {
  const at = png.indexOf('IDAT') - 4;
  const data = png.subarray(at + 8, at + 8 + png.readUInt32BE(at));
  const control = (sequence: number) =>
    pngChunk(
      'fcTL',
      Buffer.concat([
        Buffer.from([0, 0, 0, sequence]),
        // Width and height, as in IHDR.
        png.subarray(16, 24),
        Buffer.from([...Array<number>(8).fill(0), 0, 10, 0, 100, 0, 0]),
      ]),
    );
  return Buffer.concat([
    png.subarray(0, at),
    pngChunk('acTL', Buffer.from([0, 0, 0, 2, 0, 0, 0, 3])),
    control(0),
    png.subarray(at, -12),
    control(1),
    pngChunk('fdAT', Buffer.concat([Buffer.from([0, 0, 0, 2]), data])),
    png.subarray(-12),
  ]);
}

/** An extension of a GIF: its label, and what is in its sub-blocks, each under 256 bytes. */
export function gifExtension(label: number, ...blocks: (Buffer | string)[]): Buffer {
  const parts = blocks.map((block) => Buffer.concat([Buffer.from([Buffer.from(block).length]), Buffer.from(block)]));
  return Buffer.concat([Buffer.from([0x21, label]), ...parts, Buffer.alloc(1)]);
}

export function webpChunk(type: string, payload: Buffer | string): Buffer {
  const data = Buffer.from(payload);
  const chunk = Buffer.alloc(8 + data.length + (data.length % 2));
  chunk.write(type, 'latin1');
  chunk.writeUInt32LE(data.length, 4);
  data.copy(chunk, 8);
  return chunk;
}

/** Sets the length that a WebP claims to the one that it has. */
export function asWebp(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(bytes.length - 8, 4);
  return bytes;
}

/** A box of an AVIF, of other boxes and bytes. */
export function box(type: string, ...contents: (Buffer | string)[]): Buffer {
  const body = Buffer.concat(contents.map((content) => Buffer.from(content)));
  const header = Buffer.alloc(8);
  header.writeUInt32BE(8 + body.length);
  header.write(type, 4, 'latin1');
  return Buffer.concat([header, body]);
}

interface ExifOptions {
  orientation?: number;
  littleEndian?: boolean;
}

/** An Exif block as a camera writes it: who made it, where and when, notes of the maker's, all with the marker in them. */
export function cameraExif({ orientation = 1, littleEndian = false }: ExifOptions = {}): Buffer {
  const block = Buffer.alloc(1024);
  const u16 = (value: number, at: number) =>
    littleEndian ? block.writeUInt16LE(value, at) : block.writeUInt16BE(value, at);
  const u32 = (value: number, at: number) =>
    littleEndian ? block.writeUInt32LE(value, at) : block.writeUInt32BE(value, at);
  block.write(littleEndian ? 'II*\0' : 'MM\0*', 'latin1');
  u32(8, 4);
  let free = 400;

  function directory(at: number, entries: [tag: number, value: string | number | { pointer: number }][]): void {
    u16(entries.length, at);
    for (const [index, [tag, value]] of entries.entries()) {
      const entry = at + 2 + index * 12;
      u16(tag, entry);
      if (typeof value === 'number') {
        u16(3, entry + 2);
        u32(1, entry + 4);
        u16(value, entry + 8);
      } else if (typeof value === 'string') {
        // Notes of the maker's are bytes of no known kind; the rest is text.
        u16(tag === 0x92_7c ? 7 : 2, entry + 2);
        u32(value.length, entry + 4);
        if (value.length <= 4) block.write(value, entry + 8, 'latin1');
        else {
          u32(free, entry + 8);
          free += block.write(value, free, 'latin1');
        }
      } else {
        u16(4, entry + 2);
        u32(1, entry + 4);
        u32(value.pointer, entry + 8);
      }
    }
  }

  directory(8, [
    [0x01_0e, `${MARKER}\0`],
    [0x01_0f, `Acme ${MARKER}\0`],
    [0x01_10, 'Shot 3000\0'],
    [0x01_12, orientation],
    [0x01_31, 'Firmware 1.0\0'],
    [0x01_3b, 'Ada Lovelace\0'],
    [0x87_69, { pointer: 150 }],
    [0x88_25, { pointer: 250 }],
  ]);
  directory(150, [
    [0x90_03, '2024:02:29 12:00:00\0'],
    [0x92_7c, `ACME\0${MARKER}`],
    [0xa4_31, 'SN-12345678\0'],
  ]);
  directory(250, [
    [0x00_01, 'N\0'],
    [0x00_1d, '2024:02:29\0'],
    [0x00_12, 'WGS-84\0'],
  ]);
  return block.subarray(0, free);
}
