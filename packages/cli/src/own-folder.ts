import { lstatSync, mkdirSync, readlinkSync, realpathSync, statSync, type Stats } from 'node:fs';
import { dirname, resolve } from 'node:path';

/**
 * Makes sure of a folder that nobody but this user and root can put anything into, or another in the place of; false where
 * there can be none.
 */
export function makeOwnFolder(path: string): boolean {
  try {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) {
      // With `sudo -E`, root is told of somebody else's home, where it must not leave what that user cannot remove.
      if (!isOutOfReach(existingAbove(path))) return false;
      mkdirSync(path, { recursive: true, mode: 0o700 });
    }
    const found = lstatSync(path);
    return found.isDirectory() && isOwnAlone(found) && isOutOfReach(path);
  } catch {
    return false;
  }
}

/** Whether it belongs to this user, and nobody else may write to it. Windows has no modes; a profile is private there. */
export function isOwnAlone(found: Stats): boolean {
  return isOwn(found) && (process.platform === 'win32' || (found.mode & 0o022) === 0);
}

function isOwn({ uid }: Stats): boolean {
  const own = process.getuid?.();
  return own === undefined || own === uid;
}

/** Whether nobody but this user and root can put something else in its place, or in that of a folder or link on its way. */
function isOutOfReach(path: string): boolean {
  if (process.platform === 'win32') return true;
  const found = lstatSync(path);
  if (!isOwn(found) && found.uid !== 0) return false;
  const above = dirname(path);
  if (found.isSymbolicLink()) {
    if (!isOutOfReach(resolve(realpathSync(above), readlinkSync(path)))) return false;
  } else if ((found.mode & 0o022) !== 0 && (found.mode & STICKY) === 0) return false;
  return above === path || isOutOfReach(above);
}

/** Of a folder where each may only rename and remove what is their own, as the system's one for temporary files. */
const STICKY = 0o1000;

function existingAbove(path: string): string {
  const above = dirname(path);
  return above === path || statSync(above, { throwIfNoEntry: false }) !== undefined ? above : existingAbove(above);
}
