import { createHash, timingSafeEqual } from 'node:crypto';
import { paths } from '@imgup/shared';
import { Hono } from 'hono';
import type { AppEnv } from '../app-env.ts';
import { AppError } from '../errors.ts';
import { readBearerToken } from '../middleware/authenticate.ts';
import type { Metrics } from '../ports/metrics.ts';

interface MetricsRoutesOptions {
  metrics: Metrics;
  /** What whoever reads them must send; null: nobody may. */
  metricsToken: string | null;
}

/**
 * For Prometheus. Behind a proxy every address is the proxy's, and what it lets through is soon forgotten: so neither
 * lets anyone in, but a token alone.
 */
export function metricsRoutes({ metrics, metricsToken }: MetricsRoutesOptions) {
  return new Hono<AppEnv>().get(paths.metrics, async (c) => {
    if (metricsToken === null) throw new AppError('not_found', 'This server shows no metrics.');
    const token = readBearerToken(c);
    if (token === null)
      throw new AppError('token_missing', 'Send the token of --metrics-token-file as a Bearer token.');
    if (!isSame(token, metricsToken)) {
      throw new AppError('token_invalid', 'This is not the token of --metrics-token-file, which metrics want.');
    }
    const { type, text } = await metrics.render();
    return c.body(text, 200, { 'Content-Type': type, 'Cache-Control': 'no-store' });
  });
}

/** In a time that tells nothing of where they differ. */
function isSame(one: string, other: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
