/** The tag's number in an Exif block, which is a TIFF file of its own (Exif 2.32, section 4.6.4). */
const ORIENTATION = 0x0112;

/** Numbers of 8, 16 and 32 bits. It should be the second, and programs understand the others. */
const BYTE = 1;
const SHORT = 3;
const LONG = 4;

export interface Orientation {
  /** 1 is as it is; 2 to 8 turn or mirror. */
  value: number;
  /** Whether the block has the high byte first. */
  bigEndian: boolean;
}

/**
 * How the picture is to be turned to be looked at, or null: where it is to be shown as it is, or the block does not
 * say so in a way that programs understand.
 */
export function readOrientation(exif: Buffer): Orientation | null {
  if (exif.length < 14) return null;
  const order = exif.toString('latin1', 0, 4);
  if (order !== 'MM\0*' && order !== 'II*\0') return null;
  const big = order === 'MM\0*';
  const u16 = (at: number) => (big ? exif.readUInt16BE(at) : exif.readUInt16LE(at));
  const u32 = (at: number) => (big ? exif.readUInt32BE(at) : exif.readUInt32LE(at));

  function number(type: number, at: number): number {
    if (type === BYTE) return exif.readUInt8(at);
    if (type === SHORT) return u16(at);
    return type === LONG ? u32(at) : 1;
  }

  const directory = u32(4);
  if (directory + 2 > exif.length) return null;
  const entries = u16(directory);
  for (let index = 0; index < entries; index += 1) {
    const at = directory + 2 + index * 12;
    if (at + 12 > exif.length) return null;
    if (u16(at) !== ORIENTATION) continue;
    const value = u32(at + 4) === 1 ? number(u16(at + 2), at + 8) : 1;
    return value >= 2 && value <= 8 ? { value, bigEndian: big } : null;
  }
  return null;
}

/** An Exif block that says how to turn the picture, and nothing else. In the order it came in: it may be there already. */
export function orientationBlock({ value, bigEndian }: Orientation): Buffer {
  const block = Buffer.from('4d4d002a 00000008 0001 0112 0003 00000001 0000 0000 00000000'.replaceAll(' ', ''), 'hex');
  block.writeUInt16BE(value, 18);
  if (bigEndian) return block;
  block.subarray(0, 2).write('II');
  for (const at of [2, 8, 10, 12, 18]) block.subarray(at, at + 2).swap16();
  for (const at of [4, 14]) block.subarray(at, at + 4).swap32();
  return block;
}
