import type { ImageType } from '@imgup/shared';
import type { WrittenFile } from './written-file.ts';

interface StripOptions {
  /** The file as it was received. */
  from: string;
  /** All that it holds, where that is in memory. */
  content?: Buffer | null;
  /** Where the clean one is written. */
  to: string;
  type: ImageType;
}

/**
 * Writes a copy of a picture without what it says about its maker: the pixels bit for bit the same, orientation and
 * colour profile kept.
 *
 * @returns the copy, to be closed by the caller, its length and hex SHA-256, and what was removed in words for people; null
 * where nothing has to go, and no copy was made
 * @throws AppError `image_invalid` where the file cannot be walked
 */
export type MetadataStripper = (
  options: StripOptions,
) => Promise<{ file: WrittenFile; removed: string[]; bytes: number; sha256: string } | null>;
