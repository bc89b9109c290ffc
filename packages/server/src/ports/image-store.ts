import type { Readable } from 'node:stream';
import type { ImageExtension, ImageType } from '@imgup/shared';
import type { WrittenFile } from './written-file.ts';

/** What is known of a stored picture. Writing it is what commits an upload. */
export interface ImageRecord {
  /** Sorts newest first, is unguessable, and is part of the public link. */
  id: string;
  /** The uploader's user id. */
  owner: string;
  /** For display only; never part of a path. */
  name: string | null;
  type: ImageType;
  extension: ImageExtension;
  /** Of the file as it is served. */
  bytes: number;
  width: number;
  height: number;
  /** Of the file as it is served, in hex. */
  sha256: string;
  /** Of the file as it was sent, in hex. */
  sourceSha256: string;
  /** What a repeated upload is recognised by: see `digestKey`. */
  digestKey: string;
  /** What was removed from the file that was sent, in words for people. */
  removed: string[];
  /** RFC 3339, UTC. */
  createdAt: string;
  /** When readers find it no longer; null: never. */
  expiresAt: string | null;
}

/** The same bytes with and without their metadata are two pictures. */
export function digestKey(sourceSha256: string, keepMetadata: boolean): string {
  return keepMetadata ? `${sourceSha256}.kept` : sourceSha256;
}

export function isExpired(record: ImageRecord, now: number): boolean {
  return record.expiresAt !== null && Date.parse(record.expiresAt) <= now;
}

/** How much an owner has stored. */
export interface Usage {
  pictures: number;
  bytes: number;
}

export interface ImagePage {
  /** Fewer than asked for, none even, where some are removed at the same time or their records are damaged. */
  records: ImageRecord[];
  /** What to give as `after` for the next page; null on the last one. */
  next: string | null;
}

interface PutOptions {
  /** The most bytes that the owner may have stored with this picture; null: any number. */
  quota: number | null;
}

export type PutResult = { outcome: 'created' | 'known'; record: ImageRecord } | { outcome: 'quota_exceeded' };

/** Where pictures are kept. When a change resolves it survives a power cut; when it rejects no trace is left. */
export interface ImageStore {
  /** A file that is about to be put, if nothing is found against it: what takes long may begin. It never fails. */
  expect(file: WrittenFile): void;

  /**
   * Stores a picture from a file, which is gone then, and need not be durable before; the caller closes it. Where the owner already has one with this digest key
   * that has not expired, that one is the result, its expiry put off where this one's is later, and the file stays.
   * Where damage has left one without its record, this one takes its id, and its link works again.
   *
   * @param now milliseconds since the epoch
   */
  put(record: ImageRecord, file: WrittenFile, now: number, options: PutOptions): Promise<PutResult>;

  /** What the owner has under this digest key, expired or not, or null. */
  findByDigest(owner: string, digestKey: string): Promise<ImageRecord | null>;

  /** The record, expired or not, or null where there is no such picture. */
  head(owner: string, id: string): Promise<ImageRecord | null>;

  /** The owner's pictures from the newest to the oldest, those older than the id `after`; at most `limit`. */
  list(owner: string, after: string | null, limit: number): Promise<ImagePage>;

  /** Expired pictures count until they are swept. */
  usage(owner: string): Promise<Usage>;

  /**
   * Opens the bytes of a picture that `head` has found. The caller reads the stream to its end or destroys it.
   * Rejects where they are lost.
   *
   * @param range the first and the last byte, both included; all where it is left out
   */
  read(record: ImageRecord, range?: { start: number; end: number }): Promise<Readable>;

  /** A file with the picture's bytes, for as long as `work` runs. */
  withFile<T>(record: ImageRecord, work: (path: string) => Promise<T>): Promise<T>;

  /**
   * Removes a picture, in the reverse order of `put`. Where this has been refused by the disk, nobody finds the picture
   * any more, but its removal can be asked for again.
   *
   * @returns its record; null where there is no such picture
   */
  delete(owner: string, id: string): Promise<ImageRecord | null>;

  /**
   * Removes all pictures of an owner; none is no error. Where this has been refused by the disk, nobody finds them any
   * more, and `finishRemovals` tries again.
   */
  deleteOwner(owner: string): Promise<void>;

  /** Removes what an owner without pictures has left; the pictures of one who has some stay. */
  tidyOwner(owner: string): Promise<void>;

  /**
   * Tries all removals again that the disk has refused: what nobody finds any more must not be back after a restart.
   * Rejects where one is still refused.
   */
  finishRemovals(): Promise<void>;

  /**
   * Removes the pictures that have expired, each after `before` has been called with it.
   *
   * @param signal ends it after the picture that it is at; the others are removed the next time
   * @returns why some could not be removed, an error each; they are tried again the next time
   */
  sweepExpired(now: number, before: (record: ImageRecord) => Promise<void>, signal?: AbortSignal): Promise<unknown[]>;
}
