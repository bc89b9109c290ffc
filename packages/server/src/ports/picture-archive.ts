import type { Readable } from 'node:stream';
import type { ImageRecord } from './image-store.ts';

/** All pictures of a store that no server is using, one by one, for moving them to another. */
export interface PictureArchive {
  /** Where it is, for messages. */
  place: string;

  /** Whose pictures there are, sorted. */
  owners(): Promise<string[]>;

  /** Of an owner's records, sorted, which is from the newest to the oldest. */
  ids(owner: string): Promise<string[]>;

  /** A record's text, damaged or not; null where there is none. */
  readRecord(owner: string, id: string): Promise<string | null>;

  /** The picture as it is stored; null where there is none. The caller reads it to its end or destroys it. */
  open(record: ImageRecord): Promise<Readable | null>;

  /** A file with the picture's bytes for as long as `work` runs, or null where there is none. */
  withFile<T>(record: ImageRecord, work: (path: string | null) => Promise<T>): Promise<T>;

  /**
   * Stores a picture, and its record last, whatever is there. The file stays.
   *
   * @param text of the record
   * @param isPointedAt whether the same bytes, sent again, are to be found under this id
   */
  put(record: ImageRecord, text: string, file: string, isPointedAt: boolean): Promise<void>;

  close(): void;
}
