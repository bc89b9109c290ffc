import { paths, type MeResponse, type UsersResponse } from '@imgup/shared';
import { Hono } from 'hono';
import type { AppEnv } from '../app-env.ts';
import { authenticate, requireAdmin, type Authenticators } from '../middleware/authenticate.ts';
import { setLimitHeaders } from '../middleware/upload-limit.ts';
import type { UploadLimiter } from '../ports/upload-limiter.ts';
import type { Accounts } from '../services/accounts.ts';
import { describeHash } from '../services/passwords.ts';
import { userResponse } from './user-response.ts';

interface UserRoutesOptions extends Authenticators {
  accounts: Accounts;
  limiter: UploadLimiter;
}

export function userRoutes(options: UserRoutesOptions) {
  const { accounts, sessions, limiter } = options;
  return new Hono<AppEnv>()
    .get(paths.me, authenticate(options), async (c) => {
      const { user, session } = c.var.auth;
      const state = await limiter.peek(user.id);
      setLimitHeaders(c, limiter, state);
      const me: MeResponse = {
        user: userResponse(user),
        session: {
          id: session.id,
          device: session.device,
          created_at: new Date(session.createdAt).toISOString(),
          expires_at: new Date(sessions.sessionExpiresAt(session)).toISOString(),
        },
        limits: {
          uploads: limiter.limit,
          window_seconds: limiter.windowMs / 1000,
          remaining: state.remaining,
        },
      };
      return c.json(me, 200, { 'Cache-Control': 'no-store' });
    })
    .get(paths.users, authenticate(options), requireAdmin(), async (c) => {
      const all = await accounts.list();
      const users: UsersResponse = {
        users: all.map((user) => ({
          ...userResponse(user),
          password: describeHash(user.passwordHash),
        })),
      };
      return c.json(users, 200, { 'Cache-Control': 'no-store' });
    })
    .delete(paths.user, authenticate(options), requireAdmin(), async (c) => {
      await accounts.remove(c.req.param('name') ?? '', { keepImages: c.req.query('keep_images') === 'true' });
      return c.body(null, 204);
    });
}
