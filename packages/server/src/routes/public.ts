import { IMAGE_TYPES, paths, type AboutResponse } from '@imgup/shared';
import { Hono } from 'hono';
import type { AppEnv } from '../app-env.ts';
import type { UploadLimiter } from '../ports/upload-limiter.ts';
import type { Readiness } from '../services/readiness.ts';

interface PublicRoutesOptions {
  limiter: UploadLimiter;
  readiness: Readiness;
  version: string;
  registration: 'open' | 'closed';
  maxBytes: number;
  maxPixels: number;
}

/** What anyone may read: what this server is, and how it is. */
export function publicRoutes({ limiter, readiness, version, registration, maxBytes, maxPixels }: PublicRoutesOptions) {
  return new Hono<AppEnv>()
    .get(paths.about, (c) => {
      const about: AboutResponse = {
        name: 'imgup',
        version,
        registration,
        upload: {
          max_bytes: maxBytes,
          max_pixels: maxPixels,
          types: Object.keys(IMAGE_TYPES),
          limit: { uploads: limiter.limit, window_seconds: limiter.windowMs / 1000 },
        },
      };
      return c.json(about);
    })
    .get(paths.ready, async (c) => {
      await readiness.check();
      return c.json({ status: 'ready' }, 200, { 'Cache-Control': 'no-store' });
    })
    .get(paths.health, (c) => c.json({ status: 'ok' }, 200, { 'Cache-Control': 'no-store' }));
}
