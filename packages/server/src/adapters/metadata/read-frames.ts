import type { Box } from './boxes.ts';
import { damaged } from './damaged.ts';
import { createFields } from './fields.ts';
import type { PictureReader } from './picture-reader.ts';
import type { Plan } from './plan.ts';
import type { Range, Ranges } from './ranges.ts';

/**
 * Where the frames of a track are (ISO/IEC 14496-12, sections 8.7.3 to 8.7.5): in chunks, in runs of chunks with the same number
 * of frames each.
 *
 * @param needed is told
 * @param onFrame is called for each
 */
export async function readFrames(
  picture: PictureReader,
  plan: Plan,
  tables: ReadonlyMap<string, Box>,
  needed: Ranges,
  onFrame: (extents: Range[]) => Promise<void>,
): Promise<void> {
  const chunkTable = tables.get('stco') ?? tables.get('co64');
  const runTable = tables.get('stsc');
  const sizeTable = tables.get('stsz');
  if (chunkTable === undefined || runTable === undefined || sizeTable === undefined)
    throw damaged('one of its parts is missing');

  const sizes = createFields(picture, sizeTable);
  sizes.skip(4);
  // Of every frame, or 0 where each has its own.
  const commonSize = await sizes.number(4);
  let framesLeft = await sizes.number(4);

  const runs = createFields(picture, runTable);
  runs.skip(4);
  let runsLeft = await runs.number(4);
  let nextRun = await readRun();
  let framesInChunk = 0;

  const chunks = createFields(picture, chunkTable);
  chunks.skip(4);
  const offsetBytes = chunkTable.type === 'stco' ? 4 : 8;
  const count = await chunks.number(4);
  for (let chunk = 1; chunk <= count; chunk += 1) {
    plan.step();
    if (nextRun?.first === chunk) {
      framesInChunk = nextRun.frames;
      nextRun = await readRun();
    }
    if (framesInChunk === 0 || framesInChunk > framesLeft) throw damaged('its frames are not where they should be');
    framesLeft -= framesInChunk;
    const from = await chunks.number(offsetBytes);
    let end = from;
    for (let frame = 0; frame < framesInChunk; frame += 1) {
      plan.step();
      const start = end;
      end += commonSize || (await sizes.number(4));
      await onFrame([{ from: start, end }]);
    }
    needed.add(from, end - from);
  }
  if (framesLeft > 0) throw damaged('its frames are not where they should be');

  async function readRun(): Promise<{ first: number; frames: number } | null> {
    if (runsLeft === 0) return null;
    runsLeft -= 1;
    const first = await runs.number(4);
    const frames = await runs.number(4);
    runs.skip(4);
    return { first, frames };
  }
}
