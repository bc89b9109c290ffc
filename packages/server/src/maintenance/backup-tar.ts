import { createReadStream } from 'node:fs';
import { open, rm, writeFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { extract, pack } from 'tar-stream';
import type { BackupFile, BackupWriter } from './backup-file.ts';
import { MaintenanceError } from './maintenance-error.ts';

/** The folders of a backup, which a tar made by hand names too. */
const FOLDER = /^(images(\/[0-9a-z]{1,40}(\/by-digest)?)?)?$/;

/**
 * Writes a backup as a tar; mode 0600.
 *
 * @param path must not exist
 * @param madeAt the time of every file in it
 */
export async function createBackupTar(path: string, madeAt: Date): Promise<BackupWriter> {
  const file = await open(path, 'wx', 0o600);
  const tar = pack();
  const written = writeFile(file, tar as AsyncIterable<Uint8Array>);
  // Its failure is reported by `add` and `finish`.
  written.catch(() => undefined);

  return {
    async add(name, bytes, content) {
      const entry = tar.entry({ name, size: bytes, mode: 0o600, mtime: madeAt });
      try {
        await pipeline(content, entry);
      } catch (error) {
        tar.destroy();
        // A full disk shows here as a stream that was destroyed, and as itself in the writing of the file.
        await written;
        throw error;
      }
    },

    async finish() {
      tar.finalize();
      await written;
      await file.sync();
      await file.close();
    },

    async abandon() {
      tar.destroy();
      await written.catch(() => undefined);
      await file.close();
      await rm(path, { force: true });
    },
  };
}

/**
 * The files in a tar, in its order; each must be read to its end before the next is asked for.
 *
 * @throws MaintenanceError `backup_invalid` where it is no tar, or holds anything but files and folders of a backup
 */
export async function* readBackupTar(path: string): AsyncGenerator<BackupFile> {
  const tar = extract();
  const fed = pipeline(createReadStream(path, { highWaterMark: 256 * 1024 }), tar);
  // Reading the entries fails when it does.
  fed.catch(() => undefined);
  for await (const entry of asInvalid(tar)) {
    const { name, type } = entry.header;
    // As `tar -C folder .` writes it.
    const inside = name.replace(/^\.\//, '');
    if (type === 'file') {
      yield { path: inside, content: asInvalid(entry as AsyncIterable<Uint8Array>) };
    } else if (type !== 'directory' || !FOLDER.test(inside.replace(/\/$/, ''))) {
      throw new MaintenanceError('backup_invalid', `${path} holds ${name}, which is no part of a backup.`);
    }
    entry.resume();
  }
  await fed;

  /** What tar-stream says of a file that is no tar, or a part of one. A disk that cannot be read is another matter. */
  async function* asInvalid<T>(values: AsyncIterable<T>): AsyncGenerator<T> {
    try {
      yield* values;
    } catch (error) {
      // The streams are ended with the same failure, which only the feeding tells by its name.
      const cause: unknown = await fed.then(
        () => error,
        (reason: unknown) => reason,
      );
      if (cause instanceof Error && 'syscall' in cause) throw cause;
      const message = `${path} is no whole backup: ${cause instanceof Error ? cause.message : String(cause)}.`;
      throw new MaintenanceError('backup_invalid', message, { cause });
    }
  }
}
