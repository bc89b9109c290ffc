import { boxesIn, type Box } from './boxes.ts';
import { createObuCleaner } from './clean-obus.ts';
import { damaged } from './damaged.ts';
import { createFields } from './fields.ts';
import { keepName } from './keep-name.ts';
import { keepProperty } from './keep-property.ts';
import type { Overlay } from './overlay.ts';
import type { PictureReader } from './picture-reader.ts';
import type { Plan } from './plan.ts';
import type { Ranges } from './ranges.ts';
import { readFrames } from './read-frames.ts';
import { FRAME_BYTES, readTrackKind } from './read-track-kind.ts';

/** What is kept in what. */
const CONTENTS: Record<string, Set<string>> = {
  trak: new Set(['tkhd', 'mdia', 'edts', 'tref']),
  mdia: new Set(['mdhd', 'hdlr', 'minf']),
  minf: new Set(['vmhd', 'dinf', 'stbl']),
  stbl: new Set(['stsd', 'stts', 'ctts', 'stsc', 'stsz', 'stco', 'co64', 'stss']),
  edts: new Set(['elst']),
  tref: new Set(['auxl', 'prem']),
};

/** Headers with the times of making and changing: their lengths where these have 32 bits each, and 64. */
const HEADERS: Record<string, [short: number, long: number]> = { mvhd: [100, 112], tkhd: [84, 96], mdhd: [24, 36] };

/** Lists: bytes of an entry. In front of the entries is their number. */
const TABLES: Record<string, number> = { stts: 8, ctts: 8, stsc: 12, stco: 4, co64: 8, stss: 4, elst: 12 };

/** Boxes of another kind, and the most that they can hold. */
const OTHERS: Record<string, number> = { vmhd: 12, auxl: 64, prem: 64 };

/** The media are in this very file: a data reference that says so and nothing else. */
const THIS_FILE = '0000001c6472656600000000000000010000000c75726c2000000001';

/** Bytes of hdlr before its name. */
const HANDLER_BYTES = 24;

/** The writing program's name, in a frame description. */
const COMPRESSOR = { at: 42, bytes: 32 };

/**
 * The box `moov` of a moving AVIF. Its tracks of pixels and of their transparency stay; sound, depth and the rest go.
 *
 * @param needed is told which bytes of the file the frames consist of
 */
export async function planAvifTracks(
  picture: PictureReader,
  plan: Plan,
  overlay: Overlay,
  needed: Ranges,
  moov: Box,
): Promise<void> {
  const cleanObus = createObuCleaner(picture, plan, overlay);
  let hasPixels = false;
  for await (const box of boxesIn(picture, plan, moov.body, moov.end)) {
    if (box.type === 'mvhd') await keepHeader(box);
    else if (box.type === 'trak') {
      const kind = await readTrackKind(picture, plan, box);
      if (kind === 'pixels') hasPixels = true;
      if (kind === 'pixels' || kind === 'transparency') await planTrack(box);
      else if (await overlay.blank(box)) plan.remove(kind === 'sound' ? 'sound' : 'second picture');
    } else await drop(box);
  }
  if (!hasPixels) throw damaged('it holds no picture');

  async function planTrack(track: Box): Promise<void> {
    const tables = new Map<string, Box>();
    await planFolder(track);
    await readFrames(picture, plan, tables, needed, cleanObus);

    async function planFolder(folder: Box): Promise<void> {
      for await (const box of boxesIn(picture, plan, folder.body, folder.end)) {
        if (CONTENTS[folder.type]?.has(box.type) !== true) await drop(box);
        else if (CONTENTS[box.type] !== undefined) await planFolder(box);
        else if (box.type === 'stsd') await planDescriptions(box);
        else if (box.type === 'hdlr')
          await keepName(picture, plan, overlay, { from: box.body + HANDLER_BYTES, end: box.end });
        else if (HEADERS[box.type] !== undefined) await keepHeader(box);
        else if (box.type === 'dinf') {
          if (!(await isThisFile(box))) await drop(box);
        } else {
          await checkLength(box);
          if (tables.has(box.type)) throw damaged('one of its parts is there twice');
          tables.set(box.type, box);
        }
      }
    }
  }

  async function planDescriptions(stsd: Box): Promise<void> {
    for await (const box of boxesIn(picture, plan, stsd.body + 8, stsd.end)) {
      const compressor = box.body + COMPRESSOR.at;
      if (await overlay.zero(compressor, compressor + COMPRESSOR.bytes)) plan.remove('software');
      for await (const property of boxesIn(picture, plan, box.body + FRAME_BYTES, box.end)) {
        await keepProperty(picture, plan, overlay, property);
      }
    }
  }

  async function keepHeader({ type, body, end }: Box): Promise<void> {
    const isLong = (await picture.read(body, 1)).readUInt8() === 1;
    const [short, long] = HEADERS[type] ?? [0, 0];
    if (end - body !== (isLong ? long : short)) throw damaged('its header has an impossible length');
    if (await overlay.zero(body + 4, body + (isLong ? 20 : 12))) plan.remove('time stamp');
  }

  async function checkLength(box: Box): Promise<void> {
    const length = box.end - box.body;
    const fields = createFields(picture, box);
    const others = OTHERS[box.type];
    if (others !== undefined) {
      if (length > others) throw damaged('one of its parts has an impossible length');
      return;
    }
    const isLong = (await fields.number(1)) === 1;
    fields.skip(3);
    let expected: number;
    if (box.type === 'stsz') {
      const commonSize = await fields.number(4);
      expected = 12 + (commonSize === 0 ? 4 * (await fields.number(4)) : 0);
    } else {
      const entry = box.type === 'elst' && isLong ? 20 : (TABLES[box.type] ?? 0);
      expected = 8 + entry * (await fields.number(4));
    }
    if (length !== expected) throw damaged('one of its parts has an impossible length');
  }

  async function isThisFile({ body, end }: Box): Promise<boolean> {
    return end - body === THIS_FILE.length / 2 && (await picture.read(body, end - body)).toString('hex') === THIS_FILE;
  }

  async function drop(box: Box): Promise<void> {
    if (await overlay.blank(box)) plan.remove('private data of a program');
  }
}
