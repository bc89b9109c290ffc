import { randomBytes } from 'node:crypto';
import { open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CredentialStoreError } from './credential-store-error.ts';

/** Older than any write: what a killed process left behind, with secrets in it. */
const ABANDONED_MS = 60_000;

/**
 * Replaces the file whole, mode 0600: when this resolves, the text survives a power cut, and at no time was there less
 * than the old text or the new. Written here since write-file-atomic leaves out the folder's fsync (without which the
 * rename may be lost), and renames what a full disk has cut short.
 *
 * @param text null removes the file, for which a full disk has room
 * @param options.onlyIf asked at the last instant; false, and nothing changed, where it says no
 */
export async function replaceFile(
  path: string,
  text: string | null,
  { onlyIf = () => Promise.resolve(true) }: { onlyIf?: () => Promise<boolean> } = {},
): Promise<boolean> {
  if (text === null) {
    if (!(await onlyIf())) return false;
    await unlink(path);
  } else if (!(await write(path, text, onlyIf))) {
    return false;
  }
  await syncFolder(dirname(path));
  await sweep(path);
  return true;
}

async function write(path: string, text: string, onlyIf: () => Promise<boolean>): Promise<boolean> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    // Before the secret is in it: some file systems (vfat, SMB, Windows drives under WSL) take a mode and ignore it.
    if (process.platform !== 'win32' && ((await file.stat()).mode & 0o077) !== 0) {
      throw new CredentialStoreError(
        'not-private',
        `The file system of ${dirname(path)} cannot make a file private to you`,
        'put that folder on another file system',
      );
    }
    await file.writeFile(text);
    await file.sync();
    await file.close();
    if (!(await onlyIf())) {
      await unlink(temporary);
      return false;
    }
    await rename(temporary, path);
  } catch (error) {
    await file.close().catch(() => {});
    await unlink(temporary).catch(() => {});
    throw error;
  }
  return true;
}

async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return; // a folder cannot be opened there, and NTFS journals the rename
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } catch (error) {
    // Network and FUSE file systems that know no such thing say so; they have no better to offer.
    if (!['EINVAL', 'ENOTSUP', 'ENOSYS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  } finally {
    await folder.close();
  }
}

async function sweep(path: string): Promise<void> {
  const folder = dirname(path);
  for (const name of await readdir(folder)) {
    if (!name.startsWith(`${basename(path)}.`) || !name.endsWith('.tmp')) continue;
    const leftover = join(folder, name);
    const found = await stat(leftover).catch(() => null);
    if (found && Date.now() - found.mtimeMs > ABANDONED_MS) await unlink(leftover).catch(() => {});
  }
}
