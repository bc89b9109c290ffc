/**
 * Where tokens are kept: the OS keychain, a file, or memory in tests.
 *
 * The four verbs are keytar's, so that any keychain library fits behind them. A store knows nothing of what it
 * keeps: the record's shape belongs to `api/session.ts`.
 */
export interface CredentialStore {
  readonly kind: 'keychain' | 'file' | 'memory';

  /** The secret, or null where there is none. Errors: `CredentialStoreError`. */
  getPassword(service: string, account: string): Promise<string | null>;

  /** Stores or replaces the secret. When this resolves, it has been stored. Errors: `CredentialStoreError`. */
  setPassword(service: string, account: string, password: string): Promise<void>;

  /** Deletes the secret; false where there was none. Errors: `CredentialStoreError`. */
  deletePassword(service: string, account: string): Promise<boolean>;

  /** All that is stored for the service, in no particular order. Errors: `CredentialStoreError`. */
  findCredentials(service: string): Promise<{ account: string; password: string }[]>;
}

/** The service name that all of imgup's secrets are stored under. */
export const SERVICE = 'imgup';
