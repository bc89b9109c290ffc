import { cleanProfile, MAX_PROFILE_BYTES } from './clean-profile.ts';
import { segmentsOf, SOS, type Segment } from './jpeg-segments.ts';
import type { PictureReader } from './picture-reader.ts';
import type { Plan } from './plan.ts';

export const PROFILE_NAME = 'ICC_PROFILE\0';

/** Of a segment before a part of a profile: the marker, the length, the name, the part's number, and how many there are. */
const HEADER_BYTES = 4 + PROFILE_NAME.length + 2;

export interface JpegProfile {
  /** In the order in which they make up the profile; none where it is not whole, or not one. */
  parts: Segment[];
  profile: Buffer;
  /** Without what is no part of it. */
  clean: Buffer;
}

/** The colour profile of a JPEG: in parts, numbered from one, that may be in any order (ICC.1:2022, annex B.4). */
export async function readJpegProfile(picture: PictureReader, plan: Plan): Promise<JpegProfile> {
  const none = { parts: [], profile: Buffer.alloc(0), clean: Buffer.alloc(0) };
  const found = new Map<number, { segment: Segment; bytes: Buffer }>();
  let total = 0;
  let length = 0;
  for await (const segment of segmentsOf(picture, plan)) {
    // Readers know the colours before they come to the pixels.
    if (segment.code === SOS) break;
    if (segment.code !== 0xe2 || segment.length + 2 < HEADER_BYTES) continue;
    const start = await picture.read(segment.at, HEADER_BYTES);
    const number = start.readUInt8(HEADER_BYTES - 2);
    if (start.toString('latin1', 4, HEADER_BYTES - 2) !== PROFILE_NAME || found.has(number)) continue;
    const bytes = await picture.read(segment.at + HEADER_BYTES, segment.length + 2 - HEADER_BYTES);
    if (number === 1) {
      // What only claims to be the first part does not stand in the way of the one that is.
      if (bytes.toString('latin1', 36, 40) !== 'acsp') continue;
      total = start.readUInt8(HEADER_BYTES - 1);
    }
    length += bytes.length;
    if (length > MAX_PROFILE_BYTES) return none;
    found.set(number, { segment, bytes });
  }

  const parts: Segment[] = [];
  const pieces: Buffer[] = [];
  for (let number = 1; number <= total; number += 1) {
    const part = found.get(number);
    if (part === undefined) return none;
    parts.push(part.segment);
    pieces.push(part.bytes);
  }
  const profile = Buffer.concat(pieces);
  const clean = cleanProfile(profile);
  return clean === null ? none : { parts, profile, clean };
}
