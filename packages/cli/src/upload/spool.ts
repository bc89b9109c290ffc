import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CliError, EXIT } from '../errors.ts';
import type { Source } from './sources.ts';

/** No server can be set to take more (`--max-size`). */
const MAX_BYTES = 1024 ** 3;

/** A place for what is no file and may have to be sent twice. */
export interface Spool {
  keep(stream: Readable, about: { label: string; name: string }, signal: AbortSignal): Promise<Source>;
  /** Removes everything that was kept. */
  remove(): Promise<void>;
}

/** In the system's folder for temporary files, where only this user may read it. */
export function createSpool(): Spool {
  let folder: Promise<string> | null = null;
  return {
    async keep(stream, { label, name }, signal) {
      folder ??= mkdtemp(join(tmpdir(), 'imgup-'));
      const path = join(await folder, randomBytes(6).toString('hex'));
      await pipeline(stream, limited(label), createWriteStream(path, { flags: 'wx', mode: 0o600 }), { signal }).catch(
        (error: unknown) => {
          throw signal.aborted ? signal.reason : error;
        },
      );
      const { size } = await stat(path);
      if (size === 0) throw new CliError('image_empty', EXIT.refused, `${label} is empty; give a picture.`);
      return { label, path, name, bytes: size, own: false };
    },
    async remove() {
      if (folder !== null) await rm(await folder, { recursive: true, force: true });
    },
  };
}

function limited(label: string) {
  return async function* limited(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    for await (const chunk of source) {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) {
        throw new CliError(
          'image_too_large',
          EXIT.refused,
          `${label} is larger than any server takes; send a picture.`,
        );
      }
      yield chunk;
    }
  };
}
