import type { Overlay } from './overlay.ts';
import type { PictureReader } from './picture-reader.ts';
import type { Plan } from './plan.ts';
import type { Range } from './ranges.ts';

/** As the common writers have them, so that what they write need not change. */
const COMMON = new Set(['', 'libavif', 'Color', 'Alpha', 'GMap']);

const LONGEST = 8;

/** Keeps a name of a part that no viewer shows, if it is one that tells nothing. */
export async function keepName(
  picture: PictureReader,
  plan: Plan,
  overlay: Overlay,
  { from, end }: Range,
): Promise<void> {
  const start = (await picture.read(from, Math.max(0, Math.min(end - from, LONGEST)))).toString('latin1');
  const name = start.slice(0, Math.max(0, start.indexOf('\0')));
  const known = COMMON.has(name) ? name.length : 0;
  if (await overlay.zero(from + known, end)) plan.remove('text');
}
