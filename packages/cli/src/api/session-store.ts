import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { SERVICE, type CredentialStore } from '../credentials/credential-store.ts';
import { withLock } from '../credentials/lock.ts';
import { decodeRecord, encodeRecord, type SessionRecord } from './session-record.ts';

/** Longer than a refresh may take, so that a process that waits for another's sees its end. */
const LOCK_TIMEOUT_MS = 30_000;

/** About what a record has in characters: a keychain may have a limit. */
const RECORD_LENGTH = 1_000;

/** The stored log-in of one user at one server. Errors of each: `CredentialStoreError`. */
export interface SessionStore {
  readonly origin: string;
  readonly user: string;
  readonly kind: CredentialStore['kind'];
  read(): Promise<SessionRecord | null>;
  write(record: SessionRecord): Promise<void>;
  delete(): Promise<void>;
  /** Makes sure that a log-in can be stored, by storing something beside it for a moment. For use in `exclusively`. */
  tryOut(): Promise<void>;
  /** Works while no other process of this person refreshes, replaces or ends this log-in. */
  exclusively<T>(work: () => Promise<T>): Promise<T>;
}

/** @param options.folder where the locks are */
export function createSessionStore({
  credentials,
  folder,
  origin,
  user,
}: {
  credentials: CredentialStore;
  folder: string;
  origin: string;
  user: string;
}): SessionStore {
  const account = `${origin}|${user}`;
  const scope = createHash('sha256').update(account.toLowerCase()).digest('hex').slice(0, 32);
  const lock = join(folder, 'locks', `${scope}.lock`);
  return {
    origin,
    user,
    kind: credentials.kind,
    read: async () => decodeRecord(await credentials.getPassword(SERVICE, account)),
    write: (record) => credentials.setPassword(SERVICE, account, encodeRecord(record)),
    delete: async () => void (await credentials.deletePassword(SERVICE, account)),
    async tryOut() {
      // No origin has a space in it, so this is nobody's log-in.
      const trial = `trial ${account}`;
      await credentials.setPassword(SERVICE, trial, 'x'.repeat(RECORD_LENGTH));
      await credentials.deletePassword(SERVICE, trial);
    },
    exclusively: (work) => withLock(lock, { timeoutMs: LOCK_TIMEOUT_MS }, work),
  };
}

/** Every log-in that is stored, by server and name. Errors: `CredentialStoreError`. */
export async function listStored(
  credentials: CredentialStore,
): Promise<{ origin: string; user: string; record: SessionRecord }[]> {
  const stored = await credentials.findCredentials(SERVICE);
  return stored
    .toSorted((a, b) => (a.account < b.account ? -1 : 1))
    .flatMap(({ account, password }) => {
      const record = decodeRecord(password);
      const [origin = '', user = ''] = account.split('|');
      return record === null || !URL.canParse(origin) || user === '' ? [] : [{ origin, user, record }];
    });
}

/** The name as it was stored, for one that a person has typed in other capitals; null where there is none. */
export async function findStoredUser(
  credentials: CredentialStore,
  origin: string,
  name: string,
): Promise<string | null> {
  const wanted = `${origin}|${name}`.toLowerCase();
  const stored = await credentials.findCredentials(SERVICE);
  const found = stored.find(({ account }) => account.toLowerCase() === wanted);
  return found?.account.slice(origin.length + 1) ?? null;
}
