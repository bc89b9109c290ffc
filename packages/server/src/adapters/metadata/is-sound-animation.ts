import type { PictureReader } from './picture-reader.ts';
import type { Plan } from './plan.ts';

/**
 * Whether a PNG's frames follow each other as they must: numbered without a gap, and each with its pixels (PNG 3rd edition,
 * section 4.9). Decoders show the first picture alone where they do not, or what they make of the rest.
 *
 * @param from where the parts behind acTL begin
 */
export async function isSoundAnimation(picture: PictureReader, plan: Plan, from: number): Promise<boolean> {
  let next = 0;
  // What the frame that is being read has not got.
  let missing: 'control' | 'pixels' | null = 'control';
  let hasPicture = false;
  for (let at = from; at + 12 <= picture.size;) {
    plan.step();
    const header = await picture.read(at, 8);
    const length = header.readUInt32BE();
    const type = header.toString('latin1', 4);
    if (type === 'IEND') return missing === null;
    if (type === 'fcTL' || type === 'fdAT') {
      const isControl = type === 'fcTL';
      if (length < 4 || (await picture.read(at + 8, 4)).readUInt32BE() !== next) return false;
      if (isControl ? missing === 'pixels' : !hasPicture || missing === 'control') return false;
      next += 1;
      missing = isControl ? 'pixels' : null;
    } else if (type === 'IDAT') {
      hasPicture = true;
      // Without a control before it, the picture is no frame.
      if (missing === 'pixels') missing = null;
    }
    at += 12 + length;
  }
  return false;
}
