import { boxesIn, type Box } from './boxes.ts';
import { damaged } from './damaged.ts';
import { createFields } from './fields.ts';
import type { PictureReader } from './picture-reader.ts';
import type { Plan } from './plan.ts';
import type { Range } from './ranges.ts';

/** An entry of the list of what is in the file: a picture, a tile of one, or something told of it. */
export interface Item {
  id: number;
  /** Four characters: av01, grid, Exif, mime. */
  type: string;
  /** Where the type is, and where what follows it begins and ends: names and content types. */
  typeAt: number;
  end: number;
  location: Location | null;
  /** What it refers to, by the kind of the reference. */
  references: { kind: string; to: number[] }[];
  /** Numbers of its properties, from one. */
  properties: number[];
}

interface Location {
  /** Offsets count from the start of the file, or of the box idat. */
  within: 'file' | 'idat';
  extents: Range[];
}

/** Grids have up to 65,536 tiles in theory, and some hundred in the largest pictures. */
const MAX_ITEMS = 4096;
const MAX_NUMBERS = 40_000;

/** The items of a picture (ISO/IEC 14496-12, sections 8.11.3, 8.11.6 and 8.11.12; ISO/IEC 23008-12, section 9.3). */
export async function readItems(
  picture: PictureReader,
  plan: Plan,
  { iinf, iloc, iref, ipma }: { iinf: Box; iloc: Box; iref: Box | undefined; ipma: Box[] },
): Promise<Map<number, Item>> {
  const items = new Map<number, Item>();
  let numbers = 0;

  function count(): void {
    plan.step();
    numbers += 1;
    if (numbers > MAX_NUMBERS) throw damaged('it consists of too many parts');
  }

  async function readInfo(): Promise<void> {
    const list = createFields(picture, iinf);
    const version = await list.number(1);
    list.skip(3);
    const entries = await list.number(version === 0 ? 2 : 4);
    for await (const box of boxesIn(picture, plan, list.at, iinf.end)) {
      const fields = createFields(picture, box);
      const version = await fields.number(1);
      if (box.type !== 'infe' || version < 2 || version > 3)
        throw damaged('its list of contents is not as it should be');
      fields.skip(3);
      const id = await fields.number(version === 2 ? 2 : 4);
      fields.skip(2);
      const typeAt = fields.at;
      const type = await fields.text(4);
      if (items.has(id) || items.size >= MAX_ITEMS) throw damaged('its list of contents is not as it should be');
      items.set(id, { id, type, typeAt, end: box.end, location: null, references: [], properties: [] });
    }
    if (items.size !== entries) throw damaged('its list of contents is not as it should be');
  }

  async function readLocations(): Promise<void> {
    const fields = createFields(picture, iloc);
    const version = await fields.number(1);
    fields.skip(3);
    const sizes = await fields.number(2);
    const [offsetBytes, lengthBytes, baseBytes] = [sizes >> 12, (sizes >> 8) & 15, (sizes >> 4) & 15];
    const indexBytes = version === 0 ? 0 : sizes & 15;
    if (version > 2 || [offsetBytes, lengthBytes, baseBytes, indexBytes].some((bytes) => ![0, 4, 8].includes(bytes)))
      throw damaged('its list of places is not as it should be');
    const entries = await fields.number(version < 2 ? 2 : 4);
    for (let entry = 0; entry < entries; entry += 1) {
      count();
      const item = items.get(await fields.number(version < 2 ? 2 : 4));
      const method = version === 0 ? 0 : (await fields.number(2)) & 15;
      const otherFile = await fields.number(2);
      const base = await fields.number(baseBytes);
      const extents: Range[] = [];
      for (let left = await fields.number(2); left > 0; left -= 1) {
        count();
        fields.skip(indexBytes);
        const from = base + (await fields.number(offsetBytes));
        extents.push({ from, end: from + (await fields.number(lengthBytes)) });
      }
      if (item === undefined) continue;
      if (otherFile !== 0 || method > 1 || item.location !== null)
        throw damaged('its list of places is not as it should be');
      item.location = { within: method === 0 ? 'file' : 'idat', extents };
    }
    if (fields.at !== fields.end) throw damaged('its list of places is not as it should be');
  }

  async function readReferences(list: Box): Promise<void> {
    const start = createFields(picture, list);
    const idBytes = (await start.number(1)) === 0 ? 2 : 4;
    start.skip(3);
    for await (const box of boxesIn(picture, plan, start.at, list.end)) {
      const fields = createFields(picture, box);
      const item = items.get(await fields.number(idBytes));
      const to: number[] = [];
      for (let left = await fields.number(2); left > 0; left -= 1) {
        count();
        to.push(await fields.number(idBytes));
      }
      if (fields.at !== fields.end) throw damaged('its references are not as they should be');
      item?.references.push({ kind: box.type, to });
    }
  }

  async function readProperties(list: Box): Promise<void> {
    const fields = createFields(picture, list);
    const version = await fields.number(1);
    const flags = await fields.number(3);
    const isLong = (flags & 1) === 1;
    for (let left = await fields.number(4); left > 0; left -= 1) {
      count();
      const item = items.get(await fields.number(version === 0 ? 2 : 4));
      for (let left = await fields.number(1); left > 0; left -= 1) {
        count();
        // The highest bit says whether a reader must know it.
        const index = (await fields.number(isLong ? 2 : 1)) & (isLong ? 0x7f_ff : 0x7f);
        item?.properties.push(index);
      }
    }
    if (fields.at !== fields.end) throw damaged('its properties are not as they should be');
  }

  await readInfo();
  await readLocations();
  if (iref !== undefined) await readReferences(iref);
  for (const box of ipma) await readProperties(box);
  return items;
}
