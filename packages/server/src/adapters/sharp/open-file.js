import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const WINDOW_BYTES = 64 * 1024;

/**
 * @typedef {{
 *   size: number,
 *   look(at: number): Buffer,
 *   read(at: number, length: number): Buffer,
 *   close(): void
 * }} OpenFile
 */

/**
 * Random access to a file through one window of memory. It waits for the disk, which a process that does nothing else may do.
 *
 * @param {string} path
 * @returns {OpenFile}
 */
export function openFile(path) {
  const descriptor = openSync(path, 'r');
  const { size } = fstatSync(descriptor);
  const memory = Buffer.allocUnsafe(WINDOW_BYTES);
  let start = 0;
  let end = 0;

  /** The bytes from a place on that are at hand: none at the end of the file only. The next call overwrites them. */
  function look(/** @type {number} */ at, least = 1) {
    if (at < start || at + least > end) {
      start = at;
      end = at;
      for (let count = -1; count !== 0 && end - start < memory.length; end += count) {
        count = readSync(descriptor, memory, end - start, memory.length - (end - start), end);
      }
    }
    return memory.subarray(at - start, end - start);
  }

  return {
    size,
    look,

    /** A few bytes, which must be there. */
    read(at, length) {
      if (at + length > size) throw new Error('it ends in the middle of a part');
      return look(at, length).subarray(0, length);
    },

    close() {
      closeSync(descriptor);
    },
  };
}
