import { constants, createInflateRaw } from 'node:zlib';
import { MAX_PROFILE_BYTES } from './clean-profile.ts';

/** In front of the compressed bytes, and the checksum behind them. */
const ZLIB_HEADER_BYTES = 2;
const ZLIB_CHECKSUM_BYTES = 4;

/**
 * A profile that is compressed with zlib, and how many bytes it takes: what follows is no part of it. Readers of PNG heed
 * neither the checksum nor whether the stream has an end, and so neither is heeded here.
 *
 * @returns null where it cannot be inflated, or is longer than a profile can be
 */
export async function inflateProfile(deflated: Buffer): Promise<{ profile: Buffer; bytes: number } | null> {
  const inflate = createInflateRaw({ finishFlush: constants.Z_SYNC_FLUSH });
  inflate.end(deflated.subarray(ZLIB_HEADER_BYTES));
  const parts: Buffer[] = [];
  let length = 0;
  try {
    for await (const part of inflate as AsyncIterable<Buffer>) {
      parts.push(part);
      length += part.length;
      if (length > MAX_PROFILE_BYTES) return null;
    }
  } catch {
    return null;
  }
  const end = ZLIB_HEADER_BYTES + inflate.bytesWritten + ZLIB_CHECKSUM_BYTES;
  return { profile: Buffer.concat(parts), bytes: Math.min(deflated.length, end) };
}
