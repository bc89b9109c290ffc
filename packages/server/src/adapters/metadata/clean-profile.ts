/** What a PNG's reader takes, and three times what the largest profiles of printers have. */
export const MAX_PROFILE_BYTES = 8 * 2 ** 20;

/** The header, behind which the number of tags is (ICC.1:2022, section 7). */
const HEADER_BYTES = 128;

/** Of the list of tags: a name, an offset and a length each. Readers refuse profiles of more. */
const ENTRY_BYTES = 12;
const MAX_TAGS = 100;

/**
 * A colour profile without what is no part of it: its header says where it ends, its tags what the bytes are for, and the
 * others become zeros.
 *
 * @returns null where it is none that readers take: anything can be called a profile
 */
export function cleanProfile(profile: Buffer): Buffer | null {
  if (profile.length < HEADER_BYTES + 4 || profile.toString('latin1', 36, 40) !== 'acsp') return null;
  const length = profile.readUInt32BE(0);
  const tags = profile.readUInt32BE(HEADER_BYTES);
  const listEnd = HEADER_BYTES + 4 + tags * ENTRY_BYTES;
  if (tags > MAX_TAGS || listEnd > length || length > profile.length) return null;

  const clean = Buffer.alloc(length);
  profile.copy(clean, 0, 0, listEnd);
  for (let entry = HEADER_BYTES + 4; entry < listEnd; entry += ENTRY_BYTES) {
    const from = profile.readUInt32BE(entry + 4);
    const end = from + profile.readUInt32BE(entry + 8);
    if (from < listEnd || end > length) return null;
    profile.copy(clean, from, from, end);
  }
  return clean;
}
