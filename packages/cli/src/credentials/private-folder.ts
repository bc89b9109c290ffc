import { chmod, lstat, mkdir } from 'node:fs/promises';
import { CredentialStoreError } from './credential-store-error.ts';

/**
 * Makes sure of the folder: a real folder of this user, mode 0700. A mode that is too wide is narrowed without a word,
 * since the files in it are 0600 whatever the folder's mode was. Windows has no modes; a profile is private there.
 * Resolves to false where there is no folder and none was to be made. Errors: `CredentialStoreError` with `not-private`.
 */
export async function privateFolder(path: string, { create }: { create: boolean }): Promise<boolean> {
  if (create) await mkdir(path, { recursive: true, mode: 0o700 });
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (!found) return false;
  if (found.isSymbolicLink()) {
    throw new CredentialStoreError(
      'not-private',
      `${path} is a symbolic link, and credentials are kept only in a real folder`,
      'remove the link and try again',
    );
  }
  if (process.platform === 'win32') return true;
  if (isForeign(found.uid)) {
    throw new CredentialStoreError(
      'not-private',
      `${path} belongs to another user, so credentials in it would not be yours alone`,
      'change its owner and try again',
    );
  }
  if ((found.mode & 0o777) !== 0o700) await chmod(path, 0o700);
  return true;
}

/** Root may use anybody's folder, as it does in containers whose volumes belong to a user of the host. */
export function isForeign(uid: number): boolean {
  const own = process.getuid?.();
  return own !== undefined && own !== 0 && own !== uid;
}
