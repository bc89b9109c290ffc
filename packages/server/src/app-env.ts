import type { HttpBindings } from '@hono/node-server';
import type { Authenticated } from './services/sessions.ts';

/** What Hono's context holds here. The bindings are node's request and response, absent under `app.request()`. */
export interface AppEnv {
  Bindings: Partial<HttpBindings>;
  Variables: { auth: Authenticated };
}
