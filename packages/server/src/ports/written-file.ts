/**
 * A file that has been written and is still open. Where a disk fails to write in the background, it tells those who have
 * the file open, once, and may have forgotten it for whoever opens it later (fsync(2)).
 */
export interface WrittenFile {
  readonly path: string;
  /** Makes what it holds durable, and closes it; once, whoever asks, and they are all told of a failure. */
  sync(): Promise<void>;
  /** Closes it, whatever becomes of what it holds; never rejects. While it is being made durable, it waits for that. */
  close(): Promise<void>;
}
