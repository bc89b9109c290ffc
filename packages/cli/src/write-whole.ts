import { fstatSync, writeSync } from 'node:fs';
import type { Writable } from 'node:stream';

/**
 * Makes standard output, where it is a file, fail when the disk takes only a part of what is written: Node's own stream
 * lets the rest go, and says nothing.
 */
export function writeWhole(stdout: Writable): void {
  if (!('fd' in stdout) || typeof stdout.fd !== 'number') return;
  const { fd } = stdout;
  // As bigint, which is kept apart: Node's realpathSync mistakes what was looked at last, a pipe say, for its own path, and then
  // modules behind symbolic links are not found.
  if (!fstatSync(fd, { bigint: true }).isFile()) return;
  // oxlint-disable-next-line no-underscore-dangle -- it is what Node calls the method that streams are made with
  stdout._write = (chunk: Uint8Array, _encoding, done) => {
    try {
      for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at);
      done();
    } catch (error) {
      done(error as Error);
    }
  };
}
