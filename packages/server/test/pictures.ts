import sharp from 'sharp';

interface PictureOptions {
  format?: 'png' | 'jpeg' | 'gif' | 'webp' | 'avif';
  width?: number;
  height?: number;
  /** Pictures with different seeds have different bytes. */
  seed?: number;
}

/** A real picture of a plain colour. */
export function makePicture({ format = 'png', width = 8, height = 6, seed = 0 }: PictureOptions = {}): Promise<Buffer> {
  const background = { r: seed % 256, g: (seed >> 8) % 256, b: 90 };
  return sharp({ create: { width, height, channels: 3, background } })
    .toFormat(format)
    .toBuffer();
}

/** A valid PNG of exactly `bytes` bytes: pixels, and a text chunk that fills the rest. */
export async function makePngOfSize(bytes: number): Promise<Buffer> {
  const png = await makePicture();
  const end = png.subarray(-12);
  const text = Buffer.alloc(bytes - png.length - 12, 'x');
  text.write('Comment\0');
  const chunk = Buffer.alloc(12 + text.length);
  chunk.writeUInt32BE(text.length, 0);
  chunk.write('tEXt', 4, 'latin1');
  text.copy(chunk, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + text.length)), 8 + text.length);
  return Buffer.concat([png.subarray(0, -12), chunk, end]);
}

/** CRC-32 as PNG has it (Node 20.15 and 22 have it in zlib, but their types differ). */
function crc32(bytes: Uint8Array): number {
  let crc = 0xff_ff_ff_ff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xed_b8_83_20 : 0);
  }
  return ~crc >>> 0;
}
