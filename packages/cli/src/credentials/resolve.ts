import { CredentialStoreError } from './credential-store-error.ts';
import { type CredentialStore, SERVICE } from './credential-store.ts';
import { createFileStore } from './file.ts';
import type { KeychainStore } from './keychain.ts';

export type StoreKind = 'keychain' | 'file';

export interface ResolveOptions {
  /** IMGUP_CREDENTIAL_STORE, already validated. */
  choice: StoreKind | undefined;
  /** What `remember` was given by an earlier command. */
  remembered: StoreKind | undefined;
  /** The folder for the credential file. */
  directory: string;
  /** How long one keychain request may take, in milliseconds: long with a terminal, 3,500 where it is undefined. */
  timeoutMs?: () => number | undefined;
  /** The environment the keychain is looked for in; this process's unless given. */
  env?: NodeJS.ProcessEnv;
  /** Stores the kind for later commands. */
  remember: (kind: StoreKind) => Promise<void>;
  /** Tells the person once, on stderr. */
  warn: (message: string) => void;
}

/**
 * Chooses where tokens are kept.
 *
 * 1. IMGUP_CREDENTIAL_STORE wins, and never falls back: who names a store wants that one or an error. It is not
 *    remembered, since it may be meant for one command.
 * 2. Else what was remembered. A remembered keychain that fails (locked, say) is an error with the way out and never a
 *    fall back, or some tokens would be in the keychain and newer ones in a file. It is not probed again either.
 * 3. Else, on the first command ever, the keychain if an entry can be written to it, read back and deleted. That is
 *    remembered.
 * 4. Else the file, with one warning that says why. That is remembered too, so the warning is not repeated.
 *
 * Errors: whatever `remember` throws. A keychain's failure is thrown by the store when it is first used.
 */
export async function resolveCredentialStore(options: ResolveOptions): Promise<CredentialStore> {
  const known = options.choice ?? options.remembered;
  if (known === 'file') return createFileStore(options);

  const keychain = await openKeychain(options);
  if (known === 'keychain') return keychain;

  const failure = await probe(keychain);
  if (!failure) {
    await options.remember('keychain');
    return keychain;
  }
  keychain.close();
  await options.remember('file');
  options.warn(
    `${failure.reason}, so tokens are kept in a file that only you can read, in ${options.directory}; ` +
      'IMGUP_CREDENTIAL_STORE=keychain insists on a keychain.',
  );
  return createFileStore(options);
}

async function openKeychain({ timeoutMs, env }: ResolveOptions): Promise<KeychainStore> {
  const { createKeychainStore } = await import('./keychain.ts');
  const limit = timeoutMs?.();
  const keychain = createKeychainStore({ ...(limit && { timeoutMs: limit }), ...(env && { env }) });
  keychain.warmUp();
  return keychain;
}

async function probe(keychain: KeychainStore): Promise<CredentialStoreError | null> {
  try {
    await keychain.probe(SERVICE);
    return null;
  } catch (error) {
    if (error instanceof CredentialStoreError) return error;
    throw error;
  }
}
