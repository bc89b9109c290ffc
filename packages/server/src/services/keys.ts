import { hkdfSync } from 'node:crypto';

export interface Keys {
  accessToken: Buffer;
  refreshToken: Buffer;
}

/**
 * Derives one key a purpose from the server's secret (HKDF-SHA-256, RFC 5869), so that a token of one kind can
 * never pass for one of another.
 *
 * @param secret 32 bytes
 */
export function deriveKeys(secret: Buffer): Keys {
  const derive = (purpose: string) => Buffer.from(hkdfSync('sha256', secret, '', `imgup ${purpose} v1`, 32));
  return { accessToken: derive('access token'), refreshToken: derive('refresh token') };
}
