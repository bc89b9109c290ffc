import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { diskFull, MAKE_ROOM } from '../disk-full.ts';
import { CredentialStoreError, type CredentialStoreErrorCode } from './credential-store-error.ts';
import type { CredentialStore } from './credential-store.ts';
import { withLock } from './lock.ts';
import { isForeign, privateFolder } from './private-folder.ts';
import { replaceFile } from './replace-file.ts';

interface StoredRecord {
  service: string;
  account: string;
  password: string;
}

/** Far above what a crowd of processes needs: one write takes milliseconds. */
const LOCK_TIMEOUT_MS = 10_000;

/**
 * Secrets in `<directory>/credentials.json`, mode 0600 in a folder of mode 0700, for machines without a keychain.
 *
 * Like ssh with a private key, it refuses a file that others can read rather than narrowing it without a word: somebody
 * may have read it already, and its owner should know.
 */
export function createFileStore({ directory }: { directory: string }): CredentialStore {
  const path = join(directory, 'credentials.json');

  /** Under a lock, so that two processes do not each write back what they read before the other wrote. */
  const change = <T>(edit: (records: StoredRecord[]) => { records: StoredRecord[]; result: T }): Promise<T> =>
    translate(path, 'write-refused', async () => {
      await privateFolder(directory, { create: true });
      return withLock(join(directory, 'credentials.lock'), { timeoutMs: LOCK_TIMEOUT_MS }, async () => {
        for (;;) {
          const text = await readPrivate(path);
          const before = parse(path, text);
          const { records, result } = edit(before);
          if (records === before) return result;
          // A process that was stopped is stepped over by others, and must not write back what was there before them.
          const unchanged = async () => (await readPrivate(path)) === text;
          if (await replaceFile(path, format(records), { onlyIf: unchanged })) return result;
        }
      });
    });

  const records = (): Promise<StoredRecord[]> =>
    translate(path, 'unavailable', async () =>
      (await privateFolder(directory, { create: false })) ? parse(path, await readPrivate(path)) : [],
    );

  return {
    kind: 'file',

    async getPassword(service, account) {
      return (await records()).find(isFor(service, account))?.password ?? null;
    },

    async setPassword(service, account, password) {
      await change((all) => ({
        records: [...all.filter((record) => !isFor(service, account)(record)), { service, account, password }],
        result: undefined,
      }));
    },

    async deletePassword(service, account) {
      return change((all) => {
        const kept = all.filter((record) => !isFor(service, account)(record));
        return kept.length < all.length ? { records: kept, result: true } : { records: all, result: false };
      });
    },

    async findCredentials(service) {
      return (await records())
        .filter((record) => record.service === service)
        .map(({ account, password }) => ({ account, password }));
    },
  };
}

const isFor =
  (service: string, account: string) =>
  (record: StoredRecord): boolean =>
    record.service === service && record.account === account;

/** One record a line, so that a person can see what is there and remove one. Null where there is none to keep. */
function format(records: StoredRecord[]): string | null {
  if (records.length === 0) return null;
  const lines = records.map((record) => `  ${JSON.stringify(record)}`).join(',\n');
  return `{"version":1,"records":[\n${lines}\n]}\n`;
}

function parse(path: string, text: string | null): StoredRecord[] {
  if (text === null) return [];
  const records = parseRecords(text);
  if (records) return records;
  throw new CredentialStoreError(
    'damaged',
    `${path} is damaged or was written by a newer imgup, and was left as it is`,
    'move it away and log in again',
  );
}

async function readPrivate(path: string): Promise<string | null> {
  // O_NOFOLLOW and a look at the opened file itself leave no instant in which it could be exchanged. Windows has neither.
  const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null;
    if (codeOf(error) !== 'ELOOP') throw error;
    throw new CredentialStoreError(
      'not-private',
      `${path} is a symbolic link, and credentials are kept only in a real file`,
      'remove the link and log in again',
    );
  });
  if (!file) return null;
  try {
    const { mode, uid } = await file.stat();
    if (process.platform !== 'win32' && ((mode & 0o077) !== 0 || isForeign(uid))) {
      throw new CredentialStoreError(
        'not-private',
        `${path} can be read by, or belongs to, another user of this machine`,
        'run "chmod 600" on it as its owner, or delete it and log in again if somebody may have read it',
      );
    }
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

function parseRecords(text: string): StoredRecord[] | null {
  try {
    const content: unknown = JSON.parse(text);
    if (!isObject(content) || content['version'] !== 1 || !Array.isArray(content['records'])) return null;
    return content['records'].every(isRecord) ? content['records'] : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is StoredRecord {
  return isObject(value) && ['service', 'account', 'password'].every((key) => typeof value[key] === 'string');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

async function translate<T>(path: string, code: CredentialStoreErrorCode, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CredentialStoreError || !(error instanceof Error)) throw error;
    const full = diskFull(error);
    if (full !== null) {
      const reason = `The disk has no room for the credential file ${path} (${full})`;
      throw new CredentialStoreError('write-refused', reason, MAKE_ROOM, { cause: error });
    }
    throw new CredentialStoreError(
      code,
      `The credential file ${path} cannot be used (${error.message})`,
      'make it and its folder readable and writable for you',
      { cause: error },
    );
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
