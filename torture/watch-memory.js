import { readdirSync, readFileSync } from 'node:fs';

/** Milliseconds between two looks. */
const INTERVAL = 50;

/**
 * Watches the memory that a process and all its descendants have in use together, pages that they share counted for each.
 *
 * @param {number} pid
 * @returns {() => number} ends it, and returns the most bytes at any look; NaN where the system has no /proc
 */
export function watchMemory(pid) {
  let peak = NaN;
  const look = () => {
    const bytes = residentBytes(pid);
    if (!(bytes <= peak)) peak = bytes;
  };
  look();
  const timer = setInterval(look, INTERVAL);
  return () => {
    clearInterval(timer);
    return peak;
  };
}

/** @param {number} root */
function residentBytes(root) {
  if (process.platform !== 'linux') return NaN;
  /** @type {Map<number, { parent: number, bytes: number }>} */
  const processes = new Map();
  for (const name of readdirSync('/proc')) {
    const status = /^\d+$/.test(name) ? readStatus(name) : '';
    const field = (/** @type {string} */ key) => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
    processes.set(Number(name), { parent: field('PPid'), bytes: 1024 * field('VmRSS') });
  }
  const belongs = (/** @type {number} */ pid) => {
    for (let at = pid; at > 0; at = processes.get(at)?.parent ?? 0) if (at === root) return true;
    return false;
  };
  return [...processes].reduce((sum, [pid, { bytes }]) => sum + (belongs(pid) ? bytes : 0), 0);
}

/** @param {string} pid */
function readStatus(pid) {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    // It has ended meanwhile.
    return '';
  }
}
