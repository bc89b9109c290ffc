import { randomBytes, randomUUID } from 'node:crypto';
import { link, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { waitForLock } from 'fs-native-extensions';
import { StartError } from '../../errors.ts';
import { syncFolder } from './sync-folder.ts';

/** Length of a secret that keys are derived from, in bytes. */
const SECRET_BYTES = 32;

/** No token outlives its session, and no session this; then a retired secret is forgotten. In milliseconds. */
const RETIRED_LIFETIME = 90 * 24 * 60 * 60 * 1000;

/** The server's secrets, the current one first. */
export type Secrets = [Buffer, ...Buffer[]];

interface StoredSecret {
  secret: Buffer;
  /** When it was replaced by a newer one; null for the current one. */
  retiredAt: number | null;
}

/**
 * Reads the secret file, and makes it at the first start, with mode 0600. A line is 64 hex digits; those that have
 * been replaced follow with the time of that.
 *
 * @throws StartError where the file is not such a one: a wrong secret would end every session
 */
export async function openSecretFile(path: string, now: number): Promise<Secrets> {
  const found = await readSecretFile(path);
  if (found !== null) return stillGood(found, now);
  const secret = randomBytes(SECRET_BYTES);
  // A link, unlike a rename, never replaces a secret that another process has made meanwhile.
  await writeSecretFile(path, [{ secret, retiredAt: null }], link).catch(async (error: unknown) => {
    if ((await readSecretFile(path)) !== null) return;
    throw new StartError('data_unreadable', `${path} cannot be made: ${(error as Error).message}`, { cause: error });
  });
  return stillGood((await readSecretFile(path)) ?? [{ secret, retiredAt: null }], now);
}

/** Puts these secrets into a secret file, whatever it holds; the older ones count as replaced now. */
export async function writeSecrets(path: string, [current, ...older]: Secrets, now: number): Promise<void> {
  const stored = [{ secret: current, retiredAt: null }, ...older.map((secret) => ({ secret, retiredAt: now }))];
  await writeSecretFile(path, stored, rename);
}

/** Removes what a program that was killed while it wrote the secret file has left: drafts, with secrets in them. */
export async function sweepSecretDrafts(path: string): Promise<void> {
  const folder = dirname(path);
  const draft = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
  for (const name of await readdir(folder).catch(() => [])) {
    const [start, end] = [name.slice(0, basename(path).length + 1), name.slice(basename(path).length + 1)];
    if (start === `${basename(path)}.` && draft.test(end)) await rm(join(folder, name), { force: true });
  }
}

/** The secrets of a server that runs already; null where there is no file just now, which makes no new one. */
export async function rereadSecretFile(path: string, now: number): Promise<Secrets | null> {
  const found = await readSecretFile(path);
  return found === null ? null : stillGood(found, now);
}

/**
 * Puts a new secret before the present ones. Tokens made with those stay good for as long as they would have been.
 *
 * @param forgetOld ends every session instead: for a secret that others have seen
 * @throws StartError where there is no secret file yet, or it cannot be written
 */
export async function rotateSecretFile(path: string, { now, forgetOld }: { now: number; forgetOld: boolean }) {
  await requireSecretFile(path);
  // Two at once would each keep only what was there before both. The lock file stays: to delete it lets two in.
  const lock = await open(`${path}.lock`, 'a', 0o600);
  try {
    await waitForLock(lock.fd);
    const older = (await requireSecretFile(path))
      .map(({ secret, retiredAt }) => ({ secret, retiredAt: retiredAt ?? now }))
      .filter(({ retiredAt }) => !forgetOld && retiredAt + RETIRED_LIFETIME > now);
    await writeSecretFile(path, [{ secret: randomBytes(SECRET_BYTES), retiredAt: null }, ...older], rename);
  } finally {
    await lock.close();
  }
}

/**
 * Reads secrets from a variable: hex, the current one first, with commas between.
 *
 * @throws StartError `config_invalid`, naming the variable
 */
export function parseSecrets(text: string, variable: string): Secrets {
  const [current, ...older] = text.split(',').map((part) => {
    const secret = parseHex(part.trim());
    if (secret !== null) return secret;
    throw new StartError('config_invalid', `${variable} must hold 64 hex digits: \`openssl rand -hex 32\` makes them.`);
  });
  if (current === undefined) throw new StartError('config_invalid', `${variable} is empty.`);
  return [current, ...older];
}

function stillGood(stored: StoredSecret[], now: number): Secrets {
  const [current, ...older] = stored;
  if (current === undefined) throw new Error('a secret file without a secret was read');
  return [
    current.secret,
    ...older
      .filter(({ retiredAt }) => retiredAt !== null && retiredAt + RETIRED_LIFETIME > now)
      .map(({ secret }) => secret),
  ];
}

async function requireSecretFile(path: string): Promise<StoredSecret[]> {
  const found = await readSecretFile(path);
  if (found !== null) return found;
  throw new StartError('data_unreadable', `There is no ${path}: name the server's data folder with --data.`);
}

async function readSecretFile(path: string): Promise<StoredSecret[] | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new StartError('data_unreadable', `${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  return text
    .trim()
    .split('\n')
    .map((line, index) => {
      const [hex = '', retired] = line.split(' ');
      const secret = parseHex(hex);
      const retiredAt = retired === undefined ? null : Date.parse(retired);
      const isCurrent = index === 0;
      if (secret !== null && !Number.isNaN(retiredAt) && isCurrent === (retiredAt === null))
        return { secret, retiredAt };
      const message = `${path} is damaged and has been left as it is: restore it, or remove it to end every session.`;
      throw new StartError('data_unreadable', message);
    });
}

function parseHex(text: string): Buffer | null {
  return /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, 'hex') : null;
}

async function writeSecretFile(
  path: string,
  stored: StoredSecret[],
  place: (from: string, to: string) => Promise<void>,
): Promise<void> {
  const lines = stored.map(({ secret, retiredAt }) =>
    retiredAt === null ? secret.toString('hex') : `${secret.toString('hex')} ${new Date(retiredAt).toISOString()}`,
  );
  const draft = `${path}.${randomUUID()}`;
  try {
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(`${lines.join('\n')}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await place(draft, path);
    await syncFolder(dirname(path));
  } finally {
    await rm(draft, { force: true });
  }
}
