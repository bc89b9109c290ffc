import type { ImageType } from '@imgup/shared';
import type { KnownPart } from './incoming.ts';
import type { WrittenFile } from './written-file.ts';

export interface StripOptions {
  /** The file as it was received. */
  from: string;
  /** Its length. */
  bytes: number;
  /** What of it is in memory. */
  known: KnownPart[];
  /** Where the clean one is written. */
  to: string;
  type: ImageType;
}

export interface StrippedFile {
  /** To be closed by the caller. */
  file: WrittenFile;
  bytes: number;
  /** Hex. */
  sha256: string;
  /** In words for people. */
  removed: string[];
}

/** Strips one picture. */
export interface MetadataStripper {
  /** Looks at the picture's next bytes as they arrive, so that fewer have to be read again. Of a JPEG it sees all of them, or none. */
  watch(chunk: Uint8Array): void;
  /**
   * Writes a copy without what the picture says about its maker: the pixels bit for bit the same, orientation and colour
   * profile kept.
   *
   * @returns null where nothing has to go, and no copy was made
   * @throws AppError `image_invalid` where the file cannot be walked
   */
  strip(options: StripOptions): Promise<StrippedFile | null>;
}
