import type { Hono } from 'hono';
import type { AppEnv } from '../app-env.ts';
import { problemResponse } from '../problem-response.ts';

/** Answers a known path with an unknown method by 405 and `Allow` (RFC 9110, section 15.5.6). Goes after every route. */
export function methodNotAllowed(app: Hono<AppEnv>): void {
  const methods = new Map<string, Set<string>>();
  for (const { path, method } of app.routes) {
    if (method === 'ALL') continue;
    methods.set(path, (methods.get(path) ?? new Set()).add(method));
  }
  for (const [path, known] of methods) {
    if (known.has('GET')) known.add('HEAD');
    const allow = [...known].toSorted().join(', ');
    app.all(path, (c) => {
      c.set('problem', 'method_not_allowed');
      return problemResponse('method_not_allowed', `Use ${allow} here.`, {
        headers: { Allow: allow },
        requestId: c.var.requestId,
      });
    });
  }
}
