// Plain JavaScript, as the workers are that call it.
import { readdirSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { isMainThread } from 'node:worker_threads';

const LATER = constants.priority.PRIORITY_BELOW_NORMAL;

/**
 * Lets those who answer requests go first where cores are short: hashing and decoding take all that they are given. Elsewhere
 * than on Linux a thread has no priority of its own, and the server's is left alone.
 */
export function giveWay() {
  try {
    for (const id of whoIsHere()) if (getPriority(id) < LATER) setPriority(id, LATER);
  } catch {
    // A system that does not allow it works all the same.
  }
}

/** 0 is whoever asks. On Linux, that is a thread; and the others of a process, which do the work, may be there already. */
function whoIsHere() {
  if (process.platform !== 'linux') return isMainThread ? [0] : [];
  return isMainThread ? readdirSync('/proc/self/task').map(Number) : [0];
}
