import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * Where Node may keep what it has compiled, which it runs unread. Its own choice is a folder in the system's one for temporary
 * files, which on Linux anybody can make first and fill for others.
 *
 * @returns null where no folder is known to be this user's own
 */
export function compileCacheFolder(env: NodeJS.ProcessEnv): string | null {
  const chosen = env['XDG_CACHE_HOME'];
  if (chosen !== undefined && isAbsolute(chosen)) return join(chosen, 'imgup', 'compiled');
  try {
    const home = homedir();
    return isAbsolute(home) ? join(home, '.cache', 'imgup', 'compiled') : null;
  } catch {
    return null; // a user whom the system does not know
  }
}
