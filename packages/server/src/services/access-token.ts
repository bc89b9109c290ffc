import type { webcrypto } from 'node:crypto';
import { sign, verify } from 'hono/jwt';
import * as v from 'valibot';
import { AppError } from '../errors.ts';

const ISSUER = 'imgup';
const AUDIENCE = 'imgup:access';

/** Longer than any token this server makes; nothing longer is parsed. */
const MAX_LENGTH = 1024;

/** The one header that this server writes. Any other (another `alg`, a `kid`, a `jku`, `crit`) is refused unread. */
const HEADER = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url');

/** Exactly three base64url parts without padding (RFC 7515, section 3.1); hono alone would take altered padding. */
const SHAPE = new RegExp(`^${HEADER}\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$`);

const seconds = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const claimsSchema = v.object({
  iss: v.literal(ISSUER),
  aud: v.literal(AUDIENCE),
  sub: v.pipe(v.string(), v.nonEmpty()),
  sid: v.pipe(v.string(), v.nonEmpty()),
  jti: v.pipe(v.string(), v.nonEmpty()),
  /** The session's generation that this token was made with; using it shows that the client received it. */
  gen: seconds,
  iat: seconds,
  exp: seconds,
  /** This server writes none; one that is there has to hold. */
  nbf: v.optional(seconds),
});

export interface AccessTokenContent {
  userId: string;
  sessionId: string;
  tokenId: string;
  /** The session's generation that the token was made with. */
  counter: number;
  /** Seconds since the epoch. */
  issuedAt: number;
  expiresAt: number;
}

/** What a token says, which is genuine, and when it holds: in seconds since the epoch. */
export interface GenuineToken {
  content: AccessTokenContent;
  notBefore: number;
}

/** A JWT (RFC 7519), HS256. */
export function encodeAccessToken(content: AccessTokenContent, key: webcrypto.CryptoKey): Promise<string> {
  const claims: Omit<v.InferOutput<typeof claimsSchema>, 'nbf'> = {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: content.userId,
    sid: content.sessionId,
    jti: content.tokenId,
    gen: content.counter,
    iat: content.issuedAt,
    exp: content.expiresAt,
  };
  return sign({ ...claims }, key, 'HS256');
}

/**
 * Checks shape, algorithm, signature, issuer, audience and every claim, but not the time.
 *
 * @param keys those that are good, the likeliest first
 * @throws AppError `token_invalid`
 */
export async function readAccessToken(token: string, keys: webcrypto.CryptoKey[]): Promise<GenuineToken> {
  if (token.length > MAX_LENGTH || !SHAPE.test(token) || !isCanonical(token)) throw invalid();
  const payload = await verifyWithAny(token, keys);
  const parsed = v.safeParse(claimsSchema, payload);
  if (!parsed.success) throw invalid();
  const { sub, sid, jti, gen, iat, exp, nbf = iat } = parsed.output;
  if (exp <= iat) throw invalid();
  const content = { userId: sub, sessionId: sid, tokenId: jti, counter: gen, issuedAt: iat, expiresAt: exp };
  return { content, notBefore: Math.max(iat, nbf) };
}

/**
 * @param now milliseconds since the epoch
 * @throws AppError `token_invalid`, `token_expired`
 */
export function checkTimes({ content, notBefore }: GenuineToken, now: number): void {
  if (notBefore * 1000 > now + 1000) throw invalid();
  if (content.expiresAt * 1000 <= now) {
    throw new AppError('token_expired', 'The access token has expired. Refresh it, or log in again.');
  }
}

function invalid(): AppError {
  return new AppError('token_invalid', 'The access token is not one of this server. Log in again.');
}

/** The payload, or null where no key has signed it. Times are left to the clock that this server was given. */
async function verifyWithAny(token: string, keys: webcrypto.CryptoKey[]): Promise<unknown> {
  for (const key of keys) {
    try {
      return await verify(token, key, { alg: 'HS256', exp: false, nbf: false, iat: false, typ: 'JWT' });
    } catch {
      // Signed with another key, or by somebody else.
    }
  }
  return null;
}

/** Base64url has several spellings of the same bytes where bits are left over; a token has one. */
function isCanonical(token: string): boolean {
  return token.split('.').every((part) => Buffer.from(part, 'base64url').toString('base64url') === part);
}
