import { hkdfSync } from 'node:crypto';
import type { webcrypto } from 'node:crypto';

/** The keys that come out of one secret. */
export interface Keys {
  accessToken: webcrypto.CryptoKey;
  refreshToken: Buffer;
}

/** New tokens are made with the current keys; tokens made with any of them are good. */
export interface KeyRing {
  current(): Keys;
  /** The current keys first. */
  all(): Keys[];
  /** Replaces all secrets, the current one first. */
  replace(secrets: [Buffer, ...Buffer[]]): Promise<void>;
}

/** @param secrets 32 bytes each, the current one first */
export async function createKeyRing(secrets: [Buffer, ...Buffer[]]): Promise<KeyRing> {
  let [current, ...older] = await deriveAll(secrets);
  return {
    current: () => current,
    all: () => [current, ...older],
    async replace(next) {
      [current, ...older] = await deriveAll(next);
    },
  };
}

async function deriveAll([current, ...older]: [Buffer, ...Buffer[]]): Promise<[Keys, ...Keys[]]> {
  return [await deriveKeys(current), ...(await Promise.all(older.map(deriveKeys)))];
}

/**
 * One key a purpose (HKDF-SHA-256, RFC 5869), so that a token of one kind can never pass for one of another. The
 * access token's is imported here once; hono would import it anew for every token.
 */
async function deriveKeys(secret: Buffer): Promise<Keys> {
  const derive = (purpose: string) => Buffer.from(hkdfSync('sha256', secret, '', `imgup ${purpose} v1`, 32));
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  return {
    accessToken: await crypto.subtle.importKey('raw', derive('access token'), algorithm, false, ['sign', 'verify']),
    refreshToken: derive('refresh token'),
  };
}
