import type { HttpBindings } from '@hono/node-server';
import type { ProblemCode } from '@imgup/shared';
import type { User } from './ports/account-store.ts';
import type { Authenticated } from './services/sessions.ts';

/** What Hono's context holds here. The bindings are node's request and response, absent under `app.request()`. */
export interface AppEnv {
  Bindings: Partial<HttpBindings>;
  Variables: {
    /** Whose request it is. */
    user: User;
    /** With which session; not set where an upload key will do. */
    auth: Authenticated;
    /** What its answer and its lines in the log have in common. */
    requestId: string;
    /** The problem that it is answered with; not set where there is none. */
    problem: ProblemCode;
  };
}
