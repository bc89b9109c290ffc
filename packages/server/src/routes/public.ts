import { Readable } from 'node:stream';
import { IMAGE_TYPES, paths, type AboutResponse } from '@imgup/shared';
import contentDisposition from 'content-disposition';
import { Hono } from 'hono';
import type { AppEnv } from '../app-env.ts';
import { AppError } from '../errors.ts';
import type { ImageRecord } from '../ports/image-store.ts';
import type { UploadLimiter } from '../ports/upload-limiter.ts';
import type { Images } from '../services/images.ts';
import type { Readiness } from '../services/readiness.ts';

interface PublicRoutesOptions {
  images: Images;
  limiter: UploadLimiter;
  readiness: Readiness;
  version: string;
  registration: 'open' | 'closed';
  maxBytes: number;
}

/** What anyone may read: pictures by their links, what this server is, and that it lives. */
export function publicRoutes({ images, limiter, readiness, version, registration, maxBytes }: PublicRoutesOptions) {
  return new Hono<AppEnv>()
    .get(paths.picture, async (c) => {
      const [, id, extension] = /^([0-9a-z]+)\.([a-z]+)$/.exec(c.req.param('file') ?? '') ?? [];
      const content = id && extension ? await images.open(c.req.param('owner') ?? '', id, extension) : null;
      if (content === null) throw new AppError('not_found', 'There is no picture at this link.');
      const headers = pictureHeaders(content.record);
      if (matches(c.req.header('If-None-Match'), headers.ETag)) return c.body(null, 304, headers);
      headers['Content-Length'] = `${content.record.bytes}`;
      if (c.req.method === 'HEAD') return c.body(null, 200, headers);
      return c.body(Readable.toWeb(Readable.from(content.stream())) as ReadableStream, 200, headers);
    })
    .get(paths.about, (c) => {
      const about: AboutResponse = {
        name: 'imgup',
        version,
        registration,
        upload: {
          max_bytes: maxBytes,
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

/** The bytes behind a link never change, and nothing in them may run. */
function pictureHeaders(record: ImageRecord): Record<string, string> & { ETag: string } {
  return {
    'Content-Type': record.type,
    'Content-Disposition': contentDisposition(record.name ?? `${record.id}.${record.extension}`, {
      type: 'inline',
    }),
    ETag: `"${record.sha256}"`,
    'Cache-Control': 'public, max-age=31536000, immutable',
    'Content-Security-Policy': "default-src 'none'; sandbox",
    'Cross-Origin-Resource-Policy': 'cross-origin',
    'Last-Modified': new Date(record.createdAt).toUTCString(),
  };
}

/** If-None-Match (RFC 9110, section 13.1.2), which compares weakly. */
function matches(header: string | undefined, etag: string): boolean {
  return header?.split(',').some((tag) => ['*', etag, `W/${etag}`].includes(tag.trim())) ?? false;
}
