import type { Box } from './boxes.ts';
import type { PictureReader } from './picture-reader.ts';
import type { Went } from './went.ts';

/** What no more can be said of. */
export const UNKNOWN = 'private data of a program' satisfies Went;

const KINDS: Record<string, Went> = {
  d8fec3d61b0e483c92975828877ec481: 'Content Credentials',
  be7acfcb97a942e89c71999491e3afac: 'XMP',
};

/** What a box told that is taken out. Those of type uuid are told apart by the sixteen bytes that follow. */
export async function nameBox(picture: PictureReader, { type, body, end }: Box): Promise<Went> {
  if (type === 'jumb') return 'Content Credentials';
  if (type !== 'uuid' || end - body < 16) return UNKNOWN;
  return KINDS[(await picture.read(body, 16)).toString('hex')] ?? UNKNOWN;
}
