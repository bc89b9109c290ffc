import type { Readable } from 'node:stream';

/** A file that is open. Where the cache is a folder, its bytes are there even if it is removed meanwhile. Read it or close it. */
export interface CachedFile {
  bytes: number;

  /** @param range the first and the last byte, both included; all where it is left out. Rejects where they are gone */
  read(range?: { start: number; end: number }): Readable | Promise<Readable>;
  close(): Promise<void>;
}

/** Files that can be made again, kept as long as there is room. Keys are file names that the server makes. */
export interface PictureCache {
  /** A path to write a file to that may be kept later; the caller removes it where it is not. */
  draft(): Promise<string>;

  /** Takes a draft in under a key; removes it instead where it is larger than the whole cache may be. */
  keep(key: string, draft: string): Promise<void>;

  /** Makes a file and keeps it; once, however many ask at the same time. */
  make(key: string, make: (draft: string) => Promise<void>): Promise<void>;

  /** Null where it is not there: never made, evicted, or removed behind the server's back. */
  open(key: string): Promise<CachedFile | null>;

  /** Forgets and removes files, those that are not there too. */
  remove(keys: string[]): Promise<void>;

  /** Forgets and removes all files whose keys begin like this. */
  removeAll(prefix: string): Promise<void>;
}
