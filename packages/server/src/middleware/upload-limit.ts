import type { Context } from 'hono';
import { createMiddleware } from 'hono/factory';
import type { AppEnv } from '../app-env.ts';
import { AppError } from '../errors.ts';
import type { LimitState, UploadLimiter } from '../ports/upload-limiter.ts';

/**
 * Admits as many uploads a user as the limiter allows, before any of the body is read. Goes after `authenticateUpload`.
 * An admitted upload keeps its slot even where it then fails: the limit bounds the work that a user can cause.
 *
 *     routes.post('/api/images', authenticateUpload(services), uploadLimit(limiter), receive)
 */
export function uploadLimit(limiter: UploadLimiter) {
  return createMiddleware<AppEnv>(async function uploadLimit(c, next) {
    const state = await limiter.take(c.var.user.id);
    if (!state.admitted) {
      const seconds = toSeconds(state.nextSlotIn);
      const limit = `${limiter.limit} uploads in ${limiter.windowMs / 1000} seconds`;
      throw new AppError('upload_limit_reached', `You have made ${limit}. Try again in ${seconds} seconds.`, {
        headers: { ...limitHeaders(limiter, state), 'Retry-After': `${seconds}` },
      });
    }
    await next();
    // As it is by now: the picture may have taken a while to arrive, and a client waits for as long as it is told.
    const { headers } = c.res;
    // Not by `c.header`, which copies an answer that is there already for each.
    const now = limitHeaders(limiter, await limiter.peek(c.var.user.id));
    for (const [name, value] of Object.entries(now)) headers.set(name, value);
  });
}

/** Tells what is left of the limit: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/. */
export function setLimitHeaders(c: Context, limiter: UploadLimiter, state: LimitState): void {
  for (const [name, value] of Object.entries(limitHeaders(limiter, state))) c.header(name, value);
}

/**
 * `q` uploads in any `w` seconds; `r` are left now, and in `t` seconds there will be one more. The refusals of the last
 * window are told besides, so that several clients of one user can share the limit.
 */
function limitHeaders(limiter: UploadLimiter, state: LimitState): Record<string, string> {
  return {
    'RateLimit-Policy': `"upload";q=${limiter.limit};w=${limiter.windowMs / 1000}`,
    RateLimit: `"upload";r=${state.remaining};t=${toSeconds(state.nextSlotIn)}`,
    'X-Imgup-Refused': `${state.refused}`,
  };
}

/** Rounded up, so that a request sent exactly then finds its slot free. */
function toSeconds(ms: number): number {
  return Math.ceil(ms / 1000);
}
