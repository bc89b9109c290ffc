import { KEYS_MAX, KEY_NAME_MAX } from '@imgup/shared';
import { AppError } from '../errors.ts';
import type { AccountStore, UploadKey, User } from '../ports/account-store.ts';
import type { Authenticated } from './sessions.ts';
import { matchesHash, newUploadKey, uploadKeyId } from './upload-key.ts';

/** How exact the time of a key's last use is, so that an upload costs no write of the accounts. */
const USE_RESOLUTION = 60 * 60 * 1000;

interface UploadKeysOptions {
  store: AccountStore;
}

export type UploadKeys = ReturnType<typeof createUploadKeys>;

/** Keys for programs that only upload. They live until they are revoked or their user is gone, whatever sessions do. */
export function createUploadKeys({ store }: UploadKeysOptions) {
  return {
    /**
     * Makes a key for the user of this session; `text` is the key itself, which cannot be had again.
     *
     * @throws AppError `key_name_invalid`, `too_many_keys`, `token_revoked`
     */
    async create({ user, session }: Authenticated, name: string): Promise<{ key: UploadKey; text: string }> {
      const { id, text, hash } = newUploadKey();
      const draft = { id, userId: user.id, name: cleanKeyName(name), hash };
      const result = await store.createKey(draft, session.id, KEYS_MAX);
      if (result === 'session_ended') {
        throw new AppError('token_revoked', 'This session has ended. Log in again.');
      }
      if (result === 'too_many') {
        const detail = `You have ${KEYS_MAX} upload keys. Revoke one that you no longer need: DELETE /api/keys/<id>.`;
        throw new AppError('too_many_keys', detail);
      }
      return { key: result, text };
    },

    /**
     * The user whose key this is, as long as neither is gone.
     *
     * @throws AppError `token_invalid`
     */
    async authenticate(text: string): Promise<User> {
      const id = uploadKeyId(text);
      const found = id === null ? null : await store.findKey(id);
      if (found === null || !matchesHash(text, found.key.hash)) {
        throw new AppError('token_invalid', 'This upload key is not one of this server, or has been revoked.');
      }
      const { key, user, at } = found;
      if (key.lastUsedAt === null || at >= key.lastUsedAt + USE_RESOLUTION) {
        // Nobody waits for it.
        store.markKeyUsed(key.id).catch(() => undefined);
      }
      return user;
    },

    /** A user's keys, the latest first. */
    list(userId: string): Promise<UploadKey[]> {
      return store.listKeys(userId);
    },

    /** Ends a key of this user, at once. @throws AppError `not_found`, for another user's key too */
    async revoke(userId: string, keyId: string): Promise<void> {
      if (!(await store.deleteKey(userId, keyId))) {
        throw new AppError('not_found', 'You have no such upload key. GET /api/keys lists them.');
      }
    },
  };
}

/** Without control characters. Not cut: a person names the key by it when they revoke it. @throws AppError `key_name_invalid` */
function cleanKeyName(name: string): string {
  const printable = name.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '').trim();
  if (printable !== '' && Array.from(printable).length <= KEY_NAME_MAX) return printable;
  throw new AppError('key_name_invalid', `The name of a key has 1 to ${KEY_NAME_MAX} characters; choose another one.`);
}
