/**
 * What went wrong with a credential store.
 *
 * - `no-bus` no D-Bus session to look for a keychain on
 * - `no-provider` a D-Bus session on which nothing serves secrets
 * - `no-keyring` a provider that has no keyring to write to
 * - `locked` the keychain is locked, or its unlock prompt was dismissed or left unanswered
 * - `write-refused` a secret could not be written, or did not read back as written
 * - `too-long` the secret is longer than this keychain allows
 * - `timeout` the keychain is there and does not answer
 * - `unavailable` any other failure of the keychain, with its own words in the message
 * - `not-private` the credential file or its folder is a symbolic link, belongs to, or can be read by, someone else
 * - `not-writable` the folder for locks and files cannot be made or written to
 * - `damaged` the credential file is not what imgup writes
 */
export type CredentialStoreErrorCode =
  | 'no-bus'
  | 'no-provider'
  | 'no-keyring'
  | 'locked'
  | 'write-refused'
  | 'too-long'
  | 'timeout'
  | 'unavailable'
  | 'not-private'
  | 'not-writable'
  | 'damaged';

/** The message is one sentence without a secret in it: the reason, a semicolon, the way out. */
export class CredentialStoreError extends Error {
  override readonly name = 'CredentialStoreError';
  readonly code: CredentialStoreErrorCode;
  /** The first half alone, where the way out has been taken already. */
  readonly reason: string;

  constructor(code: CredentialStoreErrorCode, reason: string, wayOut: string, options?: ErrorOptions) {
    super(`${reason}; ${wayOut}.`, options);
    this.code = code;
    this.reason = reason;
  }
}
