import type { Item } from './read-items.ts';
import { nameExif } from './name-exif.ts';
import type { PictureReader } from './picture-reader.ts';
import type { Plan } from './plan.ts';
import type { Went } from './went.ts';

/** As much as a JPEG can hold. What lies behind goes unnamed. */
const MAX_EXIF_BYTES = 64 * 1024;

/** Names that are shorter than this tell what the thing is; longer ones are cut. */
const MAX_NAME_BYTES = 256;

/** What an item told that is taken out. */
export async function nameItem(picture: PictureReader, plan: Plan, item: Item): Promise<Went[]> {
  switch (item.type) {
    case 'Exif':
      return nameExifItem(picture, plan, item);
    case 'mime':
    case 'uri ': {
      const text = await picture.read(item.typeAt, Math.min(item.end - item.typeAt, MAX_NAME_BYTES));
      const names = text.toString('latin1');
      if (names.includes('rdf+xml')) return ['XMP'];
      return names.includes('c2pa') ? ['Content Credentials'] : ['private data of a program'];
    }
    case 'jumb':
      return ['Content Credentials'];
    case 'av01':
    case 'grid':
      return [item.references.some(({ kind }) => kind === 'thmb') ? 'thumbnail' : 'second picture'];
    // An item that was emptied before.
    case 'free':
      return [];
    default:
      return ['private data of a program'];
  }
}

async function nameExifItem(picture: PictureReader, plan: Plan, { location }: Item): Promise<Went[]> {
  const extent = location?.within === 'file' ? location.extents[0] : undefined;
  if (extent === undefined || extent.end > picture.size || extent.end - extent.from < 4) return ['Exif'];
  const bytes = await picture.read(extent.from, Math.min(extent.end - extent.from, MAX_EXIF_BYTES));
  // In front of the block it says how far behind it begins (ISO/IEC 23008-12, annex A.2.1).
  const names = await nameExif(plan, bytes.subarray(Math.min(bytes.length, 4 + bytes.readUInt32BE())));
  // Where it tells nothing it goes all the same.
  return names.length === 0 ? ['Exif'] : names;
}
