/** Looks at the storage. */
export interface StorageProbe {
  /** Bytes that can still be written. */
  freeBytes(): Promise<number>;

  /** Rejects where nothing can be stored durably at the moment. Tries at most once a second, however often it is asked. */
  tryWriting(): Promise<void>;
}
