import type { Context } from 'hono';
import { createMiddleware } from 'hono/factory';
import type { AppEnv } from '../app-env.ts';
import { isSaneRequestId, newRequestId } from '../request-id.ts';
import { isBehindTrustedProxy, type Network } from './client-address.ts';

/**
 * Gives each request an id, and tells it in `X-Request-Id`. One that a trusted proxy has given stays, so that its log and
 * ours speak of the same; anybody else's could be made to look like another's. Goes before everything that logs.
 */
export function identifyRequests(trustedProxies: Network[]) {
  return createMiddleware<AppEnv>(async function identifyRequests(c, next) {
    const id = idOfProxy(c, trustedProxies) ?? newRequestId();
    c.set('requestId', id);
    // Before the answer is made: afterwards, Hono makes it anew for each header, which costs as much as a small request.
    c.header('X-Request-Id', id);
    await next();
  });
}

function idOfProxy(c: Context<AppEnv>, trustedProxies: Network[]): string | null {
  if (!isBehindTrustedProxy(c, trustedProxies)) return null;
  const id = c.req.header('X-Request-Id') ?? '';
  return isSaneRequestId(id) ? id : null;
}
