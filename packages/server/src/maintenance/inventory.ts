import { createHash } from 'node:crypto';
import * as v from 'valibot';
import type { BackupFile } from './backup-file.ts';

/** What `backup.json` says, so that a backup of which a part is missing or changed is known as such. */
export interface Manifest {
  format: number;
  created_at: string;
  /** Whether the secret is in it; it is not where it is kept outside of the data folder. */
  secret: boolean;
  files: number;
  /** SHA-256 of one line a file: digest, two spaces, path; in the order of the backup. */
  sha256: string;
}

export const BACKUP_FORMAT = 1;

const schema = v.looseObject({
  format: v.number(),
  created_at: v.string(),
  secret: v.boolean(),
  files: v.number(),
  sha256: v.string(),
});

/** Null where the text is no manifest. */
export function parseManifest(text: string): Manifest | null {
  try {
    return v.parse(schema, JSON.parse(text));
  } catch {
    return null;
  }
}

/** Hashes every file that passes by, and what it is called. */
export function createInventory() {
  const lines = createHash('sha256');
  let files = 0;

  return {
    /**
     * The same content, counted in when it has been read to its end.
     *
     * @param check is called then, with the content's digest in hex; what it throws, reading throws
     */
    async *pass(
      { path, content }: BackupFile,
      check: (sha256: string) => void = () => undefined,
    ): AsyncGenerator<Uint8Array> {
      const hash = createHash('sha256');
      for await (const chunk of content) {
        hash.update(chunk);
        yield chunk;
      }
      const sha256 = hash.digest('hex');
      check(sha256);
      lines.update(`${sha256}  ${path}\n`);
      files += 1;
    },

    /** Call once, after the last file. */
    close: () => ({ files, sha256: lines.digest('hex') }),
  };
}
