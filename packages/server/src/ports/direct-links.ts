import type { ImageRecord } from './image-store.ts';

/** What readers are to be told of a picture by the storage, as HTTP headers. */
export interface LinkHeaders {
  contentType: string;
  contentDisposition: string;
  cacheControl: string;
}

/** Links under which the storage itself hands out what it holds, to anybody, for a while. */
export interface DirectLinks {
  /** @param seconds that the link works at least */
  toPicture(record: ImageRecord, headers: LinkHeaders, seconds: number): Promise<string>;

  /** @param key of the small version in the cache; it must be there */
  toSmallVersion(key: string, headers: LinkHeaders, seconds: number): Promise<string>;
}
