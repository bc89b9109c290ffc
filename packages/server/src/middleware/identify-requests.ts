import { createMiddleware } from 'hono/factory';
import type { AppEnv } from '../app-env.ts';
import { isSaneRequestId, newRequestId, requestId, underRequestId } from '../request-id.ts';
import { isBehindTrustedProxy, type Network } from './client-address.ts';

/**
 * Gives each request an id, and tells it in `X-Request-Id`. One that a trusted proxy has given stays, so that its log and
 * ours speak of the same; anybody else's could be made to look like another's. Goes before everything that logs.
 */
export function identifyRequests(trustedProxies: Network[]) {
  return createMiddleware<AppEnv>(async function identifyRequests(c, next) {
    const given = c.req.header('X-Request-Id');
    const isGood = given !== undefined && isSaneRequestId(given) && isBehindTrustedProxy(c, trustedProxies);
    const known = requestId();
    const id = isGood ? given : (known ?? newRequestId());
    await (id === known ? next() : underRequestId(id, next));
    c.header('X-Request-Id', id);
  });
}
