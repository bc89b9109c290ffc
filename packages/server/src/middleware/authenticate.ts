import type { Context } from 'hono';
import { createMiddleware } from 'hono/factory';
import type { AppEnv } from '../app-env.ts';
import { AppError } from '../errors.ts';
import type { Sessions } from '../services/sessions.ts';
import { isUploadKey } from '../services/upload-key.ts';
import type { UploadKeys } from '../services/upload-keys.ts';

export interface Authenticators {
  sessions: Sessions;
  uploadKeys: UploadKeys;
}

/**
 * Lets a request pass that carries a valid access token in its Authorization header (RFC 6750, section 2.1), and
 * sets `auth` and `user`. Tokens in the query or the body are not looked for: they end in logs. An upload key is refused.
 *
 *     routes.get('/api/me', authenticate(services), (c) => c.json(c.var.auth.session))
 */
export function authenticate({ sessions, uploadKeys }: Authenticators) {
  return createMiddleware<AppEnv>(async function authenticate(c, next) {
    const token = bearerToken(c);
    if (isUploadKey(token)) {
      await uploadKeys.authenticate(token);
      throw new AppError('key_only_uploads', 'An upload key may only upload. Log in, and send an access token.');
    }
    const auth = await sessions.authenticate(token);
    c.set('auth', auth);
    c.set('user', auth.user);
    await next();
  });
}

/** As `authenticate`, for what uploading needs and nothing else: lets an upload key pass too. Sets `user` alone. */
export function authenticateUpload({ sessions, uploadKeys }: Authenticators) {
  return createMiddleware<AppEnv>(async function authenticateUpload(c, next) {
    const token = bearerToken(c);
    const user = isUploadKey(token) ? await uploadKeys.authenticate(token) : (await sessions.authenticate(token)).user;
    c.set('user', user);
    await next();
  });
}

/** Lets administrators pass. Goes after `authenticate`. */
export function requireAdmin() {
  return createMiddleware<AppEnv>(async function requireAdmin(c, next) {
    if (c.var.auth.user.role !== 'admin') {
      throw new AppError('admin_only', 'Only an administrator of this server may do this.');
    }
    await next();
  });
}

/** @throws AppError `token_missing` */
function bearerToken(c: Context<AppEnv>): string {
  const token = readBearerToken(c);
  if (token !== null) return token;
  throw new AppError('token_missing', 'Send an access token: "Authorization: Bearer <token>". Log in to get one.');
}

/** What the Authorization header carries, or null. */
export function readBearerToken(c: Context<AppEnv>): string | null {
  return /^Bearer +(\S+)$/i.exec(c.req.header('Authorization') ?? '')?.[1] ?? null;
}
