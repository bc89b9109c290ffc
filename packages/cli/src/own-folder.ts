import { lstatSync, mkdirSync, statSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';

/** Makes sure of a folder that nobody but this user can have put anything into; false where there can be none. */
export function makeOwnFolder(path: string): boolean {
  try {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) {
      // With `sudo -E`, root is told of somebody else's home, where it must not leave what that user cannot remove.
      if (!isOwn(statSync(existingAbove(path)))) return false;
      mkdirSync(path, { recursive: true, mode: 0o700 });
    }
    const found = lstatSync(path);
    return found.isDirectory() && isOwnAlone(found);
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

function existingAbove(path: string): string {
  const above = dirname(path);
  return above === path || statSync(above, { throwIfNoEntry: false }) !== undefined ? above : existingAbove(above);
}
