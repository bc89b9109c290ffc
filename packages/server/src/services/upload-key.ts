import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { KEY_PATTERN } from '@imgup/shared';

/** What every upload key begins with, so that it is told from an access token, and found by scanners of leaked secrets. */
const PREFIX = 'imgup_';

export interface NewKey {
  id: string;
  /** `imgup_<id>_<32 random bytes>`: what its owner keeps. */
  text: string;
  hash: string;
}

/** Makes an upload key. Of its text only the hash is stored, without salt and stretching: nobody guesses 32 random bytes. */
export function newUploadKey(): NewKey {
  const id = randomBytes(8).toString('hex');
  const text = `${PREFIX}${id}_${randomBytes(32).toString('base64url')}`;
  return { id, text, hash: sha256(text).toString('hex') };
}

/** Whether a bearer token means to be an upload key: no JWT begins so. */
export function isUploadKey(token: string): boolean {
  return token.startsWith(PREFIX);
}

/** The id in a key, to look it up by; null where it is none that this server would have made. */
export function uploadKeyId(text: string): string | null {
  return KEY_PATTERN.exec(text)?.[1] ?? null;
}

/** Compares in a time that says nothing about how much of the key is right. */
export function matchesHash(text: string, hash: string): boolean {
  return timingSafeEqual(sha256(text), Buffer.from(hash, 'hex'));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
