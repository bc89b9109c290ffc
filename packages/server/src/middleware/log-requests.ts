import { createMiddleware } from 'hono/factory';
import type { AppEnv } from '../app-env.ts';
import type { Logger } from '../logger.ts';

/** Logs each request once it has been answered. Never headers or bodies, which hold tokens and passwords. */
export function logRequests(logger: Logger) {
  return createMiddleware<AppEnv>(async function logRequests(c, next) {
    const start = performance.now();
    await next();
    const { method, path } = c.req;
    const request = {
      method,
      path,
      status: c.res.status,
      ms: Math.round(performance.now() - start),
    };
    logger.info({ ...request, ...(c.var.user && { user: c.var.user.username }) }, 'request');
  });
}
