import { readBox, type Box } from './boxes.ts';
import { damaged } from './damaged.ts';
import { nameBox, UNKNOWN } from './name-box.ts';
import { createOverlay } from './overlay.ts';
import type { PictureReader } from './picture-reader.ts';
import { planAvifItems } from './plan-avif-items.ts';
import { planAvifTracks } from './plan-avif-tracks.ts';
import type { Plan } from './plan.ts';
import { createRanges, type Range } from './ranges.ts';

/** The parts that a picture or a moving one consists of, behind its kind: its lists, and the bytes that these point into. */
const PARTS = new Set(['meta', 'moov', 'mdat']);

/** Names of kinds are letters, digits and spaces, and there are not many more. */
const KIND = /^[\w ]{4}[^]{4}[\w ]{4,128}$/;

const MAX_PARTS = 1000;

/**
 * The plan for an AVIF, moving or not (ISO/IEC 14496-12, 23008-12). Offsets all over the file say where the pixels are, so
 * everything stays in its place: what goes is overwritten with zeros, and only what lies behind the last part is cut off.
 */
export async function planAvif(picture: PictureReader, plan: Plan): Promise<void> {
  const overlay = createOverlay(picture, plan);
  const [first, ...parts] = await readParts(picture, plan);
  const meta = onlyOne(parts, 'meta');
  const moov = onlyOne(parts, 'moov');
  if (first === undefined || (meta === undefined && moov === undefined) || !(await isKind(picture, first)))
    throw damaged('it does not begin as an AVIF does');

  const needed = createRanges();
  if (meta !== undefined) await planAvifItems(picture, plan, overlay, needed, meta);
  if (moov !== undefined) await planAvifTracks(picture, plan, overlay, needed, moov);

  const ranges = needed.sorted();
  const isInside = (range: Range, { body, end }: Box) => range.from >= body && range.end <= end;
  const mdats = parts.filter(({ type }) => type === 'mdat');
  if (!ranges.every((range) => mdats.some((mdat) => isInside(range, mdat)))) throw damaged('it ends before its pixels');
  const used = mdats.filter((mdat) => ranges.some((range) => isInside(range, mdat)));
  const end = Math.max(...[meta, moov, ...used].map((part) => part?.end ?? 0));

  const isNamed = plan.removed.length > 0;
  for (const part of parts) {
    if (part.type === 'mdat') {
      const went = await overlay.zeroAllBut(ranges, part.body, part.end);
      // Else it is what the lists told of, under its name.
      if (went && !isNamed) plan.remove('data between the parts');
    } else if (!PARTS.has(part.type)) {
      const name = await nameBox(picture, part);
      if (await overlay.blank(part)) plan.remove(part.at >= end && name === UNKNOWN ? 'data after the end' : name);
    }
  }
  overlay.apply(end);
}

/** The file's outermost boxes, up to what is none. */
async function readParts(picture: PictureReader, plan: Plan): Promise<Box[]> {
  const parts: Box[] = [];
  for (let at = 0; at < picture.size;) {
    const box = await readBox(picture, plan, at, picture.size);
    if (box === null) {
      plan.remove('data after the end');
      break;
    }
    if (parts.length >= MAX_PARTS) throw damaged('it consists of too many parts');
    parts.push(box);
    at = box.end;
  }
  return parts;
}

async function isKind(picture: PictureReader, { type, body, end }: Box): Promise<boolean> {
  return type === 'ftyp' && end - body <= 256 && KIND.test((await picture.read(body, end - body)).toString('latin1'));
}

function onlyOne(parts: Box[], type: string): Box | undefined {
  const [first, second] = parts.filter((part) => part.type === type);
  if (second !== undefined) throw damaged('one of its parts is there twice');
  return first;
}
