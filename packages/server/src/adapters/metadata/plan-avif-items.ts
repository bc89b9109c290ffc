import { boxesIn, type Box } from './boxes.ts';
import { createObuCleaner } from './clean-obus.ts';
import { damaged } from './damaged.ts';
import { createFields } from './fields.ts';
import { keepProperty } from './keep-property.ts';
import { nameBox } from './name-box.ts';
import { nameItem } from './name-item.ts';
import { keepName } from './keep-name.ts';
import { neededItems } from './needed-items.ts';
import type { Overlay } from './overlay.ts';
import type { PictureReader } from './picture-reader.ts';
import type { Plan } from './plan.ts';
import { createRanges, type Range, type Ranges } from './ranges.ts';
import { readItems, type Item } from './read-items.ts';

/** Boxes of `meta` that are read, once each. */
const READ = new Set(['hdlr', 'pitm', 'iinf', 'iref', 'iprp', 'iloc', 'idat', 'grpl']);

/** What items can be that make up a picture. */
const PICTURES = new Set(['av01', 'grid', 'iovl', 'iden', 'tmap']);

/** Bytes of those that are made of others; of one that is brighter on some screens, more than today's have. */
const LONGEST: Record<string, number> = { grid: 12, tmap: 256 };

/** Bytes of hdlr before its name. */
const HANDLER_BYTES = 24;

/**
 * The box `meta` of an AVIF, which lists what is in the file. Lists stay as they are, with the entries of what goes turned into
 * ones that readers skip.
 *
 * @param needed is told which bytes of the file the picture consists of
 */
export async function planAvifItems(
  picture: PictureReader,
  plan: Plan,
  overlay: Overlay,
  needed: Ranges,
  meta: Box,
): Promise<void> {
  const boxes = new Map<string, Box>();
  for await (const box of boxesIn(picture, plan, meta.body + 4, meta.end)) {
    if (!READ.has(box.type)) {
      const name = await nameBox(picture, box);
      if (await overlay.blank(box)) plan.remove(name);
      continue;
    }
    if (boxes.has(box.type)) throw damaged('one of its parts is there twice');
    boxes.set(box.type, box);
  }
  const { hdlr, pitm, iinf, iref, iprp, iloc, idat, grpl } = Object.fromEntries(boxes);
  if (hdlr === undefined || pitm === undefined || iinf === undefined || iprp === undefined || iloc === undefined)
    throw damaged('one of its parts is missing');
  const handler = createFields(picture, hdlr);
  handler.skip(8);
  if ((await handler.text(4)) !== 'pict') throw damaged('it holds no picture');
  await keepName(picture, plan, overlay, { from: hdlr.body + HANDLER_BYTES, end: hdlr.end });
  const { alphaProperties, ipma } = await planProperties(picture, plan, overlay, iprp);
  const items = await readItems(picture, plan, { iinf, iloc, iref, ipma });

  const neededIds = neededItems(items, await readPrimary(picture, overlay, pitm), alphaProperties);
  if (neededIds.size === 0) throw damaged('it holds no picture');
  const inIdat = createRanges();
  const cleanObus = createObuCleaner(picture, plan, overlay);
  for (const item of items.values()) {
    const rest = { from: item.typeAt + 4, end: item.end };
    if (neededIds.has(item.id)) {
      if (!PICTURES.has(item.type)) throw damaged('it holds no picture');
      await keepName(picture, plan, overlay, rest);
      const extents = needData(item, needed, inIdat, idat);
      if (item.type === 'av01') await cleanObus(extents);
      else checkLength(item, extents);
    } else {
      plan.remove(...(await nameItem(picture, plan, item)));
      await overlay.zero(rest.from, rest.end);
      if (item.type !== 'free') overlay.put(item.typeAt, Buffer.from('free'));
    }
  }
  if (idat !== undefined) await overlay.zeroAllBut(inIdat.sorted(), idat.body, idat.end);
  if (grpl !== undefined) await planGroups(picture, plan, overlay, grpl, items.size);
}

async function readPrimary(picture: PictureReader, overlay: Overlay, pitm: Box): Promise<number> {
  const fields = createFields(picture, pitm);
  const version = await fields.number(1);
  fields.skip(3);
  const id = await fields.number(version === 0 ? 2 : 4);
  await overlay.zero(fields.at, fields.end);
  return id;
}

/** @returns where in the file it is */
function needData({ location }: Item, needed: Ranges, inIdat: Ranges, idat: Box | undefined): Range[] {
  const ranges: Range[] = [];
  // What is made of other items alone has no bytes of its own.
  for (const { from, end } of location?.extents ?? []) {
    // It would mean "to the end", of whatever is there.
    if (end === from) throw damaged('one of its parts has an impossible length');
    if (location?.within === 'file') {
      needed.add(from, end - from);
      ranges.push({ from, end });
    } else if (idat !== undefined && idat.body + end <= idat.end) {
      inIdat.add(idat.body + from, end - from);
      ranges.push({ from: idat.body + from, end: idat.body + end });
    } else throw damaged('it ends in the middle of a part');
  }
  return ranges;
}

/** What is made of others says of each where it belongs, and little else. */
function checkLength({ type, references }: Item, ranges: Range[]): void {
  let length = 0;
  for (const { from, end } of ranges) length += end - from;
  const sources = references.find(({ kind }) => kind === 'dimg')?.to.length ?? 0;
  const longest = type === 'iovl' ? 18 + 8 * sources : (LONGEST[type] ?? 0);
  if (length > longest) throw damaged('one of its parts has an impossible length');
}

async function planProperties(picture: PictureReader, plan: Plan, overlay: Overlay, iprp: Box) {
  const alphaProperties = new Set<number>();
  const ipma: Box[] = [];
  let hasProperties = false;
  for await (const box of boxesIn(picture, plan, iprp.body, iprp.end)) {
    if (box.type === 'ipma') ipma.push(box);
    else if (box.type === 'ipco' && !hasProperties) {
      hasProperties = true;
      let index = 0;
      for await (const property of boxesIn(picture, plan, box.body, box.end)) {
        index += 1;
        if (await keepProperty(picture, plan, overlay, property)) alphaProperties.add(index);
      }
    } else if (await overlay.blank(box)) plan.remove('private data of a program');
  }
  return { alphaProperties, ipma };
}

/** Of the groups of items, keeps those of alternatives, of which the first that a viewer can show is shown. */
async function planGroups(picture: PictureReader, plan: Plan, overlay: Overlay, grpl: Box, items: number) {
  for await (const box of boxesIn(picture, plan, grpl.body, grpl.end)) {
    const isAlternatives = box.type === 'altr' && box.end - box.body <= 12 + 4 * items;
    if (!isAlternatives && (await overlay.blank(box))) plan.remove('private data of a program');
  }
}
