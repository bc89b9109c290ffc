import type { ImageExtension, ImageType } from '@imgup/shared';

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
  bytes: number;
  width: number;
  height: number;
  /** Of the file as it is served, in hex. */
  sha256: string;
  /** RFC 3339, UTC. */
  createdAt: string;
}

/** A picture's bytes, opened for reading. */
export interface ImageContent {
  record: ImageRecord;
  /** The caller reads it to its end or destroys it. */
  stream(): NodeJS.ReadableStream & AsyncIterable<Uint8Array>;
}

/** Where pictures are kept. When `put` resolves the picture survives a power cut; when it rejects no trace is left. */
export interface ImageStore {
  /**
   * Stores a picture from a file, which is moved or copied away. Where the owner already has these bytes, the
   * picture they have is the result and the new one is dropped.
   */
  put(record: ImageRecord, file: string): Promise<{ record: ImageRecord; created: boolean }>;

  /** What the owner has under this digest (hex SHA-256), or null. */
  findByDigest(owner: string, sha256: string): Promise<ImageRecord | null>;

  /** The record alone, or null where there is no such picture. */
  head(owner: string, id: string): Promise<ImageRecord | null>;

  /** Removes a picture, in the reverse order of `put`; false where there is none. */
  delete(owner: string, id: string): Promise<boolean>;

  /** Removes all pictures of an owner; none is no error. */
  deleteOwner(owner: string): Promise<void>;

  /** Opens a picture for reading, or null where there is no such picture. */
  get(owner: string, id: string): Promise<ImageContent | null>;
}
