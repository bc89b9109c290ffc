import { paths, type SessionsResponse } from '@imgup/shared';
import { Hono } from 'hono';
import type { AppEnv } from '../app-env.ts';
import { authenticate, type Authenticators } from '../middleware/authenticate.ts';

/** The log-ins of the user who asks. */
export function sessionRoutes(services: Authenticators) {
  const { sessions } = services;
  return new Hono<AppEnv>()
    .get(paths.sessions, authenticate(services), async (c) => {
      const { user, session: current } = c.var.auth;
      const mine = await sessions.list(user.id);
      const body: SessionsResponse = {
        sessions: mine.map((session) => ({
          id: session.id,
          device: session.device,
          created_at: new Date(session.createdAt).toISOString(),
          last_used_at: new Date(session.lastUsedAt).toISOString(),
          expires_at: new Date(sessions.sessionExpiresAt(session)).toISOString(),
          current: session.id === current.id,
        })),
      };
      return c.json(body, 200, { 'Cache-Control': 'no-store' });
    })
    .delete(paths.sessions, authenticate(services), async (c) => {
      // All of them, this one too, unless ?keep=current.
      const { user, session } = c.var.auth;
      await sessions.endAll(user.id, c.req.query('keep') === 'current' ? session.id : null);
      return c.body(null, 204);
    })
    .delete(paths.session, authenticate(services), async (c) => {
      await sessions.end(c.var.auth.user.id, c.req.param('id') ?? '');
      return c.body(null, 204);
    });
}
