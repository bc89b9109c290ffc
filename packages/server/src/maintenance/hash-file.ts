import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';

export interface Hashed {
  bytes: number;
  /** In hex. */
  sha256: string;
}

/** Length and SHA-256 of a file, read as a stream. */
export async function hashFile(path: string): Promise<Hashed> {
  return hashStream(createReadStream(path, { highWaterMark: 256 * 1024 }));
}

/** Length and SHA-256 of a stream, read to its end. */
export async function hashStream(content: Readable): Promise<Hashed> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of content as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest('hex') };
}
