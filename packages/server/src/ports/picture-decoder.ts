import type { SmallWidth } from '@imgup/shared';
import type { KnownPart } from './incoming.ts';

/** What decoding a whole picture has shown. */
export interface DecodedPicture {
  /** Pixels, as a viewer shows the picture: its orientation applied. */
  width: number;
  height: number;
  frames: number;
}

/** The formats that small versions come in: WebP where the client takes it, else what every browser shows. */
export type SmallFormat = 'webp' | 'jpeg' | 'png';

/** Decodes pictures under limits of pixels, frames and time, a few at once; more wait in bounded number. */
export interface PictureDecoder {
  /** Whether `check` makes the first small version on the way, and is to be told where. */
  readonly makesSmallVersion: boolean;

  /** An upload has begun: what is slow to start may start while it arrives. */
  wake(): void;

  /**
   * Checks as much as it is set to: decodes every frame, and writes the 320-pixel version in WebP on the way, which costs
   * no more than the check.
   *
   * @param known what of the file is in memory
   * @throws AppError `image_invalid`, `image_too_many_pixels`, `image_type_unsupported`, `server_busy`
   */
  check(path: string, smallVersion: string | null, known?: KnownPart[]): Promise<DecodedPicture>;

  /**
   * Writes a smaller version of a picture that has been checked; it is never enlarged.
   *
   * @throws AppError `server_busy`
   */
  shrink(path: string, smallVersion: string, width: SmallWidth, format: SmallFormat): Promise<void>;

  /** Gives up what is under way. */
  close(): Promise<void>;
}
