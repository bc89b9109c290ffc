import { createHmac, timingSafeEqual } from 'node:crypto';

const VERSION = 1;
const ID_BYTES = 16;
const MAC_BYTES = 32;
const BODY_BYTES = 1 + ID_BYTES + 4;

/** base64url of version (1 byte) | session id (16) | counter (4) | HMAC-SHA-256 of those (32), unpadded. */
const SHAPE = /^[A-Za-z0-9_-]{71}$/;

export interface RefreshTokenContent {
  /** 32 hex digits. */
  sessionId: string;
  /** The generation: 0 at log-in, one more at each rotation. */
  counter: number;
}

/** The same session and counter always give the same token, so the store holds the counter and nothing to replay. */
export function encodeRefreshToken({ sessionId, counter }: RefreshTokenContent, key: Buffer): string {
  const body = Buffer.alloc(BODY_BYTES);
  body.writeUInt8(VERSION, 0);
  body.write(sessionId, 1, ID_BYTES, 'hex');
  body.writeUInt32BE(counter, 1 + ID_BYTES);
  return Buffer.concat([body, mac(body, key)]).toString('base64url');
}

/** The content of a token that this server has made, or null for any other text. */
export function decodeRefreshToken(token: string, keys: Buffer[]): RefreshTokenContent | null {
  if (!SHAPE.test(token)) return null;
  const bytes = Buffer.from(token, 'base64url');
  // 71 characters hold two bits more than 53 bytes: only one spelling of them is the token.
  if (bytes.length !== BODY_BYTES + MAC_BYTES || bytes.toString('base64url') !== token) return null;
  const body = bytes.subarray(0, BODY_BYTES);
  if (!keys.some((key) => timingSafeEqual(mac(body, key), bytes.subarray(BODY_BYTES)))) return null;
  if (body.readUInt8(0) !== VERSION) return null;
  return {
    sessionId: body.toString('hex', 1, 1 + ID_BYTES),
    counter: body.readUInt32BE(1 + ID_BYTES),
  };
}

function mac(body: Buffer, key: Buffer): Buffer {
  return createHmac('sha256', key).update(body).digest();
}
