import { rmSync } from 'node:fs';

/** What is to be undone when a person interrupts, the latest first; without waiting. @type {Set<() => void>} */
const undos = new Set();

/**
 * Undoes something when the program is interrupted.
 *
 * @param {() => void} undo
 * @returns {() => void} to be called when it has been undone in the ordinary way
 */
export function undoIfInterrupted(undo) {
  undos.add(undo);
  return () => {
    undos.delete(undo);
  };
}

/** @param {string} workspace is removed at the end */
export function watchForInterruption(workspace) {
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.once(signal, () => {
      for (const undo of [...undos].toReversed()) undo();
      rmSync(workspace, { recursive: true, force: true });
      process.exit(130);
    });
  }
}
