import type { WrittenFile } from './written-file.ts';

/** Some of a file's bytes. */
export interface KnownPart {
  /** Of the first of them. */
  at: number;
  bytes: Buffer;
}

export interface ReceivedFile {
  /** To be closed by the caller. */
  file: WrittenFile;
  bytes: number;
  /** Hex. */
  sha256: string;
  /** What is still in memory, so that nobody need read it again: its beginning first. All of it where it is small. */
  known: KnownPart[];
}

export interface ReceiveOptions {
  /** Is called with the first bytes, as soon as there are enough of them or the body ends. What it throws ends the upload. */
  onHead: (head: Uint8Array) => Promise<void>;
  /** Is called with each part as it arrives, in order, and the number of bytes received with it. What it throws ends the upload. */
  onChunk: (chunk: Uint8Array, bytes: number) => void;
}

/** Where bodies are received before they are known to be pictures. */
export interface Incoming {
  /** How many half-received uploads of an earlier server were removed at the start. */
  readonly swept: number;

  /** Streams a body into a file, which is not durable yet: most that is refused is refused later. When it rejects, the file is gone. */
  receive(source: AsyncIterable<Uint8Array>, options: ReceiveOptions): Promise<ReceivedFile>;
  /**
   * Removes a received file that has not been moved away. Never rejects: whatever was answered for it stays true where the
   * disk keeps it, and `finishRemovals` removes it then.
   */
  discard(path: string): Promise<void>;
  /** Removes what the disk has not let go of; rejects where it still does not. */
  finishRemovals(): Promise<void>;
}
