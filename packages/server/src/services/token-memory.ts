import { LRUCache } from 'lru-cache';
import { readAccessToken, type GenuineToken } from './access-token.ts';
import type { KeyRing } from './key-ring.ts';

/** Those that were used last, each a kilobyte at most. */
const REMEMBERED = 1000;

/**
 * Finds tokens genuine, and remembers those that are, so that a signature costs its time once. What a token's time, its
 * session and its revocation say is asked each time, and not here. Errors: AppError `token_invalid`.
 */
export function createTokenMemory(keyRing: KeyRing): (token: string) => Promise<GenuineToken> {
  const known = new LRUCache<string, GenuineToken>({ max: REMEMBERED });
  let keys = keyRing.current();
  return async (token) => {
    if (keyRing.current() !== keys) {
      // One that was made with a key that is forgotten is genuine no more.
      known.clear();
      keys = keyRing.current();
    }
    const found = known.get(token);
    if (found !== undefined) return found;
    const verifiedWith = keys;
    const genuine = await readAccessToken(
      token,
      keyRing.all().map(({ accessToken }) => accessToken),
    );
    if (keyRing.current() === verifiedWith) known.set(token, genuine);
    return genuine;
  };
}
