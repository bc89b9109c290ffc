/** Looks at the storage, at most once a second however often it is asked. */
export interface StorageProbe {
  /** Bytes that can still be written. */
  freeBytes(): Promise<number>;

  /** Rejects where nothing can be stored durably at the moment. */
  tryWriting(): Promise<void>;
}
