import { alphaName } from './alpha-name.ts';
import { boxesIn, type Box } from './boxes.ts';
import { damaged } from './damaged.ts';
import { createFields } from './fields.ts';
import type { PictureReader } from './picture-reader.ts';
import type { Plan } from './plan.ts';

/** A frame description's fields, before its properties. */
export const FRAME_BYTES = 78;

/** What a track of a moving AVIF is for: what is shown, its transparency, sound, or something that viewers do not show. */
export async function readTrackKind(
  picture: PictureReader,
  plan: Plan,
  track: Box,
): Promise<'pixels' | 'transparency' | 'sound' | 'hidden'> {
  const mdia = await find(track, 'mdia');
  const handler = createFields(picture, await find(mdia, 'hdlr'));
  handler.skip(8);
  const type = await handler.text(4);
  if (type === 'soun') return 'sound';
  if (type !== 'pict' && type !== 'auxv') return 'hidden';

  const stsd = await find(await find(await find(mdia, 'minf'), 'stbl'), 'stsd');
  let isTransparency = false;
  for await (const entry of boxesIn(picture, plan, stsd.body + 8, stsd.end)) {
    if (entry.type !== 'av01') return 'hidden';
    if (entry.end - entry.body < FRAME_BYTES) throw damaged('one of its parts has an impossible length');
    for await (const property of boxesIn(picture, plan, entry.body + FRAME_BYTES, entry.end)) {
      if (property.type === 'auxi' && (await alphaName(picture, property)) !== null) isTransparency = true;
    }
  }
  if (type === 'pict') return 'pixels';
  return isTransparency ? 'transparency' : 'hidden';

  async function find(parent: Box, type: string): Promise<Box> {
    for await (const box of boxesIn(picture, plan, parent.body, parent.end)) {
      if (box.type === type) return box;
    }
    throw damaged('one of its parts is missing');
  }
}
