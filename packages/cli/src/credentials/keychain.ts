import type { CredentialStoreError } from './credential-store-error.ts';
import { type CredentialStore } from './credential-store.ts';
import { keychainFailure } from './keychain-failure.ts';
import { createKeychainProcess, type KeychainRequest } from './keychain-process.ts';

export interface KeychainOptions {
  /**
   * How long one request may take, in milliseconds; 3,500 unless given, so that an answer is there within 5 s where the
   * machine is not busy.
   * With a terminal it should be long enough for a person to type the keychain's password.
   */
  timeoutMs?: number;
  /** The environment the keychain is looked for in (DBUS_SESSION_BUS_ADDRESS); this process's unless given. */
  env?: NodeJS.ProcessEnv;
  /** A clock that only goes forward, in milliseconds; the process's unless given. */
  now?: () => number;
}

/** For this long a keychain that was silent is not asked again, in milliseconds. */
const SILENT_FOR_MS = 10_000;

export interface KeychainStore extends CredentialStore {
  readonly kind: 'keychain';

  /** Starts the child process without waiting for it, so that its start costs nothing when the first request comes. */
  warmUp(): void;

  /** Writes an entry, reads it back and deletes it: the only proof that a keychain works. Errors: `CredentialStoreError`. */
  probe(service: string): Promise<void>;

  /** The process id of the child while it runs. */
  readonly childPid: number | undefined;

  /** Ends the child process. Not needed before this process ends. */
  close(): void;
}

/**
 * The OS keychain: Secret Service on Linux, Keychain on macOS, Credential Manager on Windows.
 *
 * ```ts
 * const store = createKeychainStore({ timeoutMs: process.stdin.isTTY ? 60_000 : 3_500 });
 * await store.setPassword('imgup', 'http://localhost:4747|ada', 'secret');
 * ```
 */
export function createKeychainStore({
  timeoutMs = 3_500,
  env,
  now = () => performance.now(),
}: KeychainOptions = {}): KeychainStore {
  // oxlint-disable-next-line node/no-process-env -- handed on whole to the child; no setting is read from it
  const inherited = env ?? process.env;
  const keychain = createKeychainProcess({ timeoutMs, env: inherited });

  // A command that makes three requests would wait three times; one that runs for days must find it awake again.
  let silence: { failure: CredentialStoreError; until: number } | undefined;

  const ask = async (request: KeychainRequest): Promise<unknown> => {
    if (silence && now() < silence.until) throw silence.failure;
    const answer = await keychain.request(request);
    if (answer.kind === 'value') return answer.value;
    const failure = keychainFailure(answer);
    if (answer.kind === 'timeout' || failure.code === 'timeout') {
      silence = { failure, until: now() + SILENT_FOR_MS };
    }
    throw failure;
  };

  return {
    kind: 'keychain',

    async getPassword(service, account) {
      return (await ask({ op: 'get', service, account })) as string | null;
    },

    async setPassword(service, account, password) {
      await ask({ op: 'set', service, account, password });
    },

    async deletePassword(service, account) {
      return (await ask({ op: 'delete', service, account })) as boolean;
    },

    async findCredentials(service) {
      return (await ask({ op: 'find', service })) as { account: string; password: string }[];
    },

    async probe(service) {
      await ask({ op: 'probe', service });
    },

    warmUp: () => keychain.warmUp(),
    close: () => keychain.close(),
    get childPid() {
      return keychain.pid;
    },
  };
}
