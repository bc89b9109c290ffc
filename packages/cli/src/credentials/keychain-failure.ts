import { CredentialStoreError, type CredentialStoreErrorCode } from './credential-store-error.ts';
import type { KeychainAnswer } from './keychain-process.ts';

interface Known {
  pattern: RegExp;
  code: CredentialStoreErrorCode;
  reason: string;
  /** What could be done about the keychain itself; the file is always offered. */
  remedy?: string;
}

/**
 * The library has no error codes: one class, and the words of whatever is below it. Those of Linux were collected from a
 * real libdbus, gnome-keyring and KeePassXC; those of macOS are Security.framework's, those of Windows wincred's.
 * The first match wins.
 */
const KNOWN: Known[] = [
  {
    pattern: /autolaunch|Failed to connect to socket|DBUS_SESSION_BUS_ADDRESS|Connection refused/i,
    code: 'no-bus',
    reason: 'No keychain can be reached, because there is no D-Bus session here (DBUS_SESSION_BUS_ADDRESS)',
  },
  {
    pattern: /not provided by any \.service files|ServiceUnknown|NameHasNoOwner|org\.freedesktop\.secrets exited/i,
    code: 'no-provider',
    reason: "No keychain is running on this session's D-Bus",
    remedy: 'start gnome-keyring, KWallet or KeePassXC',
  },
  {
    pattern: /Did not receive a reply|NoReply|timed out/i,
    code: 'timeout',
    reason: 'The keychain is there but does not answer',
    remedy: 'restart it',
  },
  {
    // macOS: errSecInteractionNotAllowed (-25308), errSecAuthFailed (-25293), errSecUserCanceled (-128), errSecInDarkWake
    pattern: /prompt was dismissed|locked|interaction is not allowed|passphrase you entered|user canceled|dark wake/i,
    code: 'locked',
    reason: 'The keychain is locked and was not unlocked',
    remedy: 'unlock it and try again',
  },
  {
    pattern: /no result found/i,
    code: 'no-keyring',
    reason: 'The keychain has no keyring to write to, or none is open',
    remedy: 'create or open one',
  },
  {
    pattern: /longer than|too long/i,
    code: 'too-long',
    reason: "This system's keychain cannot hold a secret of this length",
  },
  {
    pattern: /Couldn't (create|set|delete)|did not read back|read-only|write permissions/i,
    code: 'write-refused',
    reason: 'The keychain refused to store or delete a secret',
  },
  {
    // Windows over SSH or in a service: ERROR_NO_SUCH_LOGON_SESSION
    pattern: /logon session/i,
    code: 'unavailable',
    reason: 'The Credential Manager cannot be used from this kind of log-in, such as an SSH session',
  },
];

/** One sentence and a stable code for what the keychain said, or for its silence. */
export function keychainFailure(answer: Exclude<KeychainAnswer, { kind: 'value' }>): CredentialStoreError {
  if (answer.kind === 'timeout') {
    const limit = `${(answer.afterMs / 1000).toFixed(1)} s`;
    return answer.opened
      ? fail(
          'locked',
          `The keychain is locked or asks for permission, and no one answered it for ${limit}`,
          'unlock it',
        )
      : fail('timeout', `The keychain did not answer within ${limit}`, 'restart it');
  }

  const said = ownWords(answer.text);
  const cause = new Error(answer.text);
  const known = KNOWN.find(({ pattern }) => pattern.test(said));
  if (!known) return fail('unavailable', `The keychain cannot be used (${said})`, undefined, cause);
  const detail = known.code === 'write-refused' ? ` (${said})` : '';
  return fail(known.code, known.reason + detail, known.remedy, cause);
}

function fail(code: CredentialStoreErrorCode, reason: string, remedy?: string, cause?: Error): CredentialStoreError {
  const useFile = 'set IMGUP_CREDENTIAL_STORE=file to keep tokens in a file';
  return new CredentialStoreError(code, reason, remedy ? `${remedy}, or ${useFile}` : useFile, cause && { cause });
}

/** Without the layers that each put a prefix in front, and on one line. */
function ownWords(text: string): string {
  return text
    .replace(/^(Platform failure: |Couldn't access platform storage: |D-?Bus error: |Secret Service: |imgup: )+/i, '')
    .replaceAll(/\s+/g, ' ')
    .replace(/[\s.]+$/, '')
    .slice(0, 300);
}
