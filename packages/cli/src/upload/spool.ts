import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { diskFull, MAKE_ROOM } from '../disk-full.ts';
import { CliError, EXIT, localProblem } from '../errors.ts';
import { aboutFile } from '../picture-file.ts';
import { isEnough, sniffType } from '../sniff-type.ts';
import type { Source } from './sources.ts';

/** No server can be set to take more (`--max-size`). */
const MAX_BYTES = 1024 ** 3;

/** A place for what is no file and may have to be sent twice. */
export interface Spool {
  /** Errors: `CliError` where it is no picture, of which no more is read then; the signal's reason. */
  keep(stream: Readable, about: { label: string; name: string }, signal: AbortSignal): Promise<Source>;
  /** Removes everything that was kept. */
  remove(): Promise<void>;
}

/** In the system's folder for temporary files, where only this user may read it. */
export function createSpool(): Spool {
  let folder: Promise<string> | null = null;
  const keeping: Promise<Source>[] = [];

  async function keep(
    stream: Readable,
    { label, name }: { label: string; name: string },
    signal: AbortSignal,
  ): Promise<Source> {
    folder ??= mkdtemp(join(tmpdir(), 'imgup-'));
    const path = join(await folder, randomBytes(6).toString('hex'));
    const file = createWriteStream(path, { flags: 'wx', mode: 0o600 });
    await pipeline(stream, checked(label), file, { signal }).catch((error: unknown) => {
      if (signal.aborted) throw signal.reason;
      const full = diskFull(error);
      if (full === null) throw error;
      const message = `${label} cannot be kept in ${tmpdir()}: the disk is full (${full}); ${MAKE_ROOM}.`;
      throw new CliError('spool_full', EXIT.failed, message, { cause: error, path: label });
    });
    const { size } = await stat(path);
    return { label, path, name, bytes: size, own: false, failure: null };
  }

  return {
    keep(...what) {
      const kept = keep(...what);
      keeping.push(kept);
      return kept;
    },
    async remove() {
      // Who is interrupted does not wait for it, and it might still make its file.
      await Promise.allSettled(keeping);
      if (folder !== null) await rm(await folder, { recursive: true, force: true });
    },
  };
}

/** Passes on what begins as a picture does, and is not too large. */
function checked(label: string) {
  return async function* checked(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let bytes = 0;
    let start: Buffer | null = Buffer.alloc(0);
    for await (const chunk of source) {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) throw aboutFile(label, localProblem('image_too_large'));
      if (start === null) yield chunk;
      else {
        start = Buffer.concat([start, chunk]);
        if (!isEnough(start)) continue;
        requirePicture(label, start);
        yield start;
        start = null;
      }
    }
    if (start === null) return;
    if (bytes === 0)
      throw new CliError('image_empty', EXIT.refused, `${label} is empty; give a picture.`, { path: label });
    requirePicture(label, start);
    yield start;
  };
}

function requirePicture(label: string, start: Buffer): void {
  if (sniffType(start) === null) throw aboutFile(label, localProblem('image_type_unsupported'));
}
