import { damaged } from './damaged.ts';
import { isFrame, segmentsOf, SOS, type Segment } from './jpeg-segments.ts';
import type { PictureReader } from './picture-reader.ts';
import type { Plan } from './plan.ts';

const DHT = 0xc4;
const DAC = 0xcc;
const DQT = 0xdb;
const DRI = 0xdd;

/** Parts that define what scans use, and that can be defined anew. */
export const TABLES: ReadonlySet<number> = new Set([DHT, DAC, DQT, DRI]);

/** One of the definitions in a segment. */
interface Table {
  /** What it defines: the segment's kind, and a number. */
  defines: number;
  at: number;
  length: number;
}

/**
 * Keeps the tables of a segment that decoders use; the others can be of any bytes.
 *
 * @param used as from {@link readUsedTables}
 */
export async function keepTables(
  picture: PictureReader,
  plan: Plan,
  segment: Segment,
  used: ReadonlySet<number>,
): Promise<void> {
  const tables = await readTables(picture, segment);
  const kept = tables.filter(({ at }) => used.has(at));
  if (kept.length < tables.length) plan.remove('data between the parts');
  if (kept.length === 0) return;
  if (kept.length === tables.length) return plan.keep(segment.at, segment.end - segment.at);
  let length = 2;
  for (const table of kept) length += table.length;
  plan.insert(Buffer.from([0xff, segment.code, length >> 8, length & 0xff]));
  for (const table of kept) plan.keep(table.at, table.length);
}

/** Where the tables are that a scan uses: of those for one purpose the last before the scan (ITU-T T.81, annex B.2.4). */
export async function readUsedTables(picture: PictureReader, plan: Plan): Promise<Set<number>> {
  const used = new Set<number>();
  const current = new Map<number, number>();
  /** Of each colour the number of the table that its values are multiplied by, until a scan has taken it for all that follow. */
  const factors = new Map<number, number>();
  let frame = 0;

  function use(defines: number): void {
    const at = current.get(defines);
    if (at !== undefined) used.add(at);
  }

  for await (const segment of segmentsOf(picture, plan)) {
    const { code, at, length } = segment;
    if (TABLES.has(code)) {
      for (const { defines, at } of await readTables(picture, segment)) current.set(defines, at);
    } else if (isFrame(code) && length >= 8) {
      frame = code;
      const colours = await picture.read(at + 10, length - 8);
      for (let index = 0; index + 3 <= colours.length; index += 3)
        factors.set(colours.readUInt8(index), colours.readUInt8(index + 2));
    } else if (code === SOS && length >= 6) {
      const header = await picture.read(at + 5, length - 3);
      const colours = header.subarray(0, -3);
      const [first, , bits = 0] = header.subarray(-3);
      const isProgressive = (frame & 3) === 2;
      const isLossless = (frame & 3) === 3;
      const codes = frame > 0xc8 ? DAC : DHT;
      use(define(DRI, 0));
      for (let index = 0; index + 2 <= colours.length; index += 2) {
        const colour = colours.readUInt8(index);
        const tables = colours.readUInt8(index + 1);
        const factor = factors.get(colour);
        if (factor !== undefined) use(define(DQT, factor));
        factors.delete(colour);
        // Of progressive pictures, a scan has averages or details, and to refine averages it needs no table.
        if (!isProgressive || (first === 0 && bits >> 4 === 0)) use(define(codes, tables >> 4));
        if (isProgressive ? first !== 0 : !isLossless) use(define(codes, 0x10 | (tables & 15)));
      }
    }
  }
  return used;
}

function define(code: number, number: number): number {
  return (code << 8) | number;
}

async function readTables(picture: PictureReader, { code, at, length }: Segment): Promise<Table[]> {
  const bytes = await picture.read(at + 4, length - 2);
  if (code === DRI && bytes.length !== 2) throw damaged('one of its tables is not as it should be');
  const tables: Table[] = [];
  for (let from = 0; from < bytes.length;) {
    const number = code === DRI ? 0 : bytes.readUInt8(from);
    const length = tableBytes(code, bytes.subarray(from));
    // No decoder knows one that is longer than it says, or has another number.
    if (from + length > bytes.length || (code !== DRI && (number & 15) > (code === DAC ? 15 : 3)))
      throw damaged('one of its tables is not as it should be');
    const which = code === DQT ? number & 15 : number;
    tables.push({ defines: define(code, which), at: at + 4 + from, length });
    from += length;
  }
  return tables;
}

/** Of the table that bytes begin with. */
function tableBytes(code: number, bytes: Buffer): number {
  if (code === DQT) return 1 + ((bytes[0] ?? 0) & 0xf0 ? 128 : 64);
  if (code !== DHT) return 2;
  let length = 17;
  for (const count of bytes.subarray(1, 17)) length += count;
  return length;
}
