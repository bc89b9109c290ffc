import { readdirSync, readFileSync } from 'node:fs';

/** Process ids. Linux only. */
export function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === parent)
    .map(Number);
}

/** The 4th field of its stat, the 2nd behind a name that may hold anything. */
function parentOf(id: string): number | null {
  try {
    const [, parent] = readFileSync(`/proc/${id}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    return Number(parent);
  } catch {
    return null;
  }
}
