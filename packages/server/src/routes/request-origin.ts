import type { Context } from 'hono';
import type { AppEnv } from '../app-env.ts';
import { isBehindTrustedProxy, type Network } from '../middleware/client-address.ts';

/** The origin that the client has sent its request to, as a trusted proxy tells it or as the request itself does. */
export function requestOrigin(c: Context<AppEnv>, trustedProxies: Network[]): string {
  const url = new URL(c.req.url);
  if (!isBehindTrustedProxy(c, trustedProxies)) return url.origin;
  const protocol = c.req.header('X-Forwarded-Proto') ?? url.protocol.slice(0, -1);
  const forwarded = `${protocol}://${c.req.header('X-Forwarded-Host') ?? url.host}`;
  return /^https?:/.test(forwarded) && URL.canParse(forwarded) ? new URL(forwarded).origin : url.origin;
}
