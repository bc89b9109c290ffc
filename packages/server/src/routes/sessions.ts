import { paths, type SessionsResponse } from '@imgup/shared';
import { Hono } from 'hono';
import type { AppEnv } from '../app-env.ts';
import { authenticate } from '../middleware/authenticate.ts';
import type { Sessions } from '../services/sessions.ts';

/** The log-ins of the user who asks. */
export function sessionRoutes({ sessions }: { sessions: Sessions }) {
  return new Hono<AppEnv>()
    .get(paths.sessions, authenticate(sessions), async (c) => {
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
    .delete(paths.sessions, authenticate(sessions), async (c) => {
      // All of them, this one too, unless ?keep=current.
      const { user, session } = c.var.auth;
      await sessions.endAll(user.id, c.req.query('keep') === 'current' ? session.id : null);
      return c.body(null, 204);
    })
    .delete(paths.session, authenticate(sessions), async (c) => {
      await sessions.end(c.var.auth.user.id, c.req.param('id') ?? '');
      return c.body(null, 204);
    });
}
