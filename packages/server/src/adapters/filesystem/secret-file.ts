import { randomBytes } from 'node:crypto';
import { link, open, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StartError } from '../../errors.ts';
import { syncFolder } from './sync-folder.ts';

/** Length of the secret that every key is derived from, in bytes. */
export const SECRET_BYTES = 32;

/**
 * Reads the server's secret (64 hex digits), and makes it at the first start, with mode 0600.
 *
 * @throws StartError `data_unreadable` where the file is not such a secret: a wrong one would end every session
 */
export async function openSecretFile(path: string): Promise<Buffer> {
  const found = await readSecret(path);
  if (found !== null) return found;
  const secret = randomBytes(SECRET_BYTES);
  const draft = `${path}.${process.pid}.next`;
  try {
    const file = await open(draft, 'w', 0o600);
    try {
      await file.writeFile(`${secret.toString('hex')}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    // A link, unlike a rename, never replaces a secret that another process has made meanwhile.
    await link(draft, path);
    await syncFolder(dirname(path));
    return secret;
  } catch (error) {
    const other = await readSecret(path);
    if (other !== null) return other;
    throw new StartError('data_unreadable', `${path} cannot be made: ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    await rm(draft, { force: true });
  }
}

async function readSecret(path: string): Promise<Buffer | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new StartError('data_unreadable', `${path} cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return parseSecret(text, path);
}

/** @param source what the secret is read from, for the error: a path or a variable */
export function parseSecret(text: string, source: string): Buffer {
  const hex = text.trim();
  if (!/^[0-9a-f]{64}$/i.test(hex)) {
    throw new StartError('config_invalid', `${source} must hold 64 hex digits (openssl rand -hex 32).`);
  }
  return Buffer.from(hex, 'hex');
}
