import { parseDataPath, type DataFile } from './data-files.ts';

/** One file of a backup: its path is that in the data folder, with "/" on every system. */
export interface BackupFile {
  path: string;
  /** Is read once, to its end. */
  content: AsyncIterable<Uint8Array>;
}

/** Takes the files of a backup, whole and durably. */
export interface BackupWriter {
  /** @param bytes the exact length of the content */
  add(path: string, bytes: number, content: AsyncIterable<Uint8Array>): Promise<void>;
  /** Resolves when all that was added is durable. */
  finish(): Promise<void>;
  /** Leaves nothing of it. */
  abandon(): Promise<void>;
}

/** Written last: what a whole backup holds. */
export const MANIFEST = 'backup.json';

/** What a file of a backup is; null for whatever has no place in one. */
export function parseBackupPath(path: string): DataFile | { kind: 'manifest' } | null {
  return path === MANIFEST ? { kind: 'manifest' } : parseDataPath(path);
}
