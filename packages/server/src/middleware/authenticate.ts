import { createMiddleware } from 'hono/factory';
import type { AppEnv } from '../app-env.ts';
import { AppError } from '../errors.ts';
import type { Sessions } from '../services/sessions.ts';

/**
 * Lets a request pass that carries a valid access token in its Authorization header (RFC 6750, section 2.1), and
 * sets `auth`. Tokens in the query or the body are not looked for: they end in logs.
 *
 *     routes.get('/api/me', authenticate(sessions), (c) => c.json(c.var.auth.user))
 */
export function authenticate(sessions: Sessions) {
  return createMiddleware<AppEnv>(async function authenticate(c, next) {
    const header = c.req.header('Authorization');
    const token = header && /^Bearer +(\S+)$/i.exec(header)?.[1];
    if (!token) {
      throw new AppError('token_missing', 'Send an access token: "Authorization: Bearer <token>". Log in to get one.');
    }
    c.set('auth', await sessions.authenticate(token));
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
