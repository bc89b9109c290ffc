import { open, stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { paths } from '@imgup/shared';
import contentDisposition from 'content-disposition';
import { Hono, type Context } from 'hono';
import parseRange from 'range-parser';
import type { AppEnv } from '../app-env.ts';
import { AppError } from '../errors.ts';
import type { ImageRecord } from '../ports/image-store.ts';
import { SMALL_WIDTHS, type SmallWidth } from '../ports/picture-decoder.ts';
import type { Images } from '../services/images.ts';
import type { SmallVersions } from '../services/small-versions.ts';

/** Bytes that can be answered: what they are called, how many, and any part of them. */
interface Representation {
  type: string;
  etag: string;
  length: number;
  open(range?: { start: number; end: number }): Promise<Readable>;
}

/** Pictures by their public links. */
export function pictureRoutes({ images, smallVersions }: { images: Images; smallVersions: SmallVersions }) {
  async function representation(c: Context, record: ImageRecord, width: SmallWidth | null): Promise<Representation> {
    // Never enlarged: a version that would be as wide as the picture is the picture.
    if (width === null || width >= record.width) {
      const { type, sha256, bytes } = record;
      return { type, etag: `"${sha256}"`, length: bytes, open: (range) => images.read(record, range) };
    }
    const webp = c.req.header('Accept')?.includes('image/webp') ?? false;
    const { path, type, tag } = await smallVersions.get(record, width, webp);
    const { size } = await stat(path);
    const etag = `"${record.sha256}-${tag}"`;
    return { type, etag, length: size, open: async (range) => (await open(path, 'r')).createReadStream(range) };
  }

  return new Hono<AppEnv>().get(paths.picture, async (c) => {
    const width = smallWidth(c);
    const [, id, extension] = /^([0-9a-z]+)\.([a-z]+)$/.exec(c.req.param('file') ?? '') ?? [];
    const record = id && extension ? await images.find(c.req.param('owner') ?? '', id, extension) : null;
    if (record === null) throw new AppError('not_found', 'There is no picture at this link.');
    const served = await representation(c, record, width);
    const headers = pictureHeaders(record, served, width !== null);
    if (matches(c.req.header('If-None-Match'), served.etag)) return c.body(null, 304, headers);

    const range = requestedRange(c, served, headers);
    if (range === 'unsatisfiable') {
      return c.body(null, 416, { ...headers, 'Content-Range': `bytes */${served.length}` });
    }
    if (range !== null) {
      headers['Content-Range'] = `bytes ${range.start}-${range.end}/${served.length}`;
    }
    headers['Content-Length'] = `${range === null ? served.length : range.end - range.start + 1}`;
    const status = range === null ? 200 : 206;
    if (c.req.method === 'HEAD') return c.body(null, status, headers);
    return c.body(Readable.toWeb(await served.open(range ?? undefined)) as ReadableStream, status, headers);
  });
}

/** `?w=`, one of the widths that small versions come in, or null. @throws AppError `invalid_request` */
function smallWidth(c: Context): SmallWidth | null {
  const text = c.req.query('w');
  if (text === undefined) return null;
  const width = SMALL_WIDTHS.find((each) => `${each}` === text);
  if (width !== undefined) return width;
  throw new AppError('invalid_request', `w must be one of ${SMALL_WIDTHS.join(', ')}.`);
}

/** The bytes behind a link never change, and nothing in them may run. */
function pictureHeaders(record: ImageRecord, served: Representation, varies: boolean): Record<string, string> {
  const name = record.name ?? `${record.id}.${record.extension}`;
  return {
    'Content-Type': served.type,
    'Content-Disposition': contentDisposition(name, { type: 'inline' }),
    'Accept-Ranges': 'bytes',
    ETag: served.etag,
    // A picture that will expire or be taken back must not live on in caches for a year.
    'Cache-Control': record.expiresAt === null ? 'public, max-age=86400' : 'public, max-age=60',
    'Last-Modified': new Date(record.createdAt).toUTCString(),
    'Content-Security-Policy': "default-src 'none'; sandbox",
    'Cross-Origin-Resource-Policy': 'cross-origin',
    ...(varies && { Vary: 'Accept' }),
  };
}

/** If-None-Match (RFC 9110, section 13.1.2), which compares weakly. */
function matches(header: string | undefined, etag: string): boolean {
  return header?.split(',').some((tag) => ['*', etag, `W/${etag}`].includes(tag.trim())) ?? false;
}

/**
 * The one range that is asked for (RFC 9110, section 14). Several at once, or one under an If-Range that no longer
 * holds, are answered with everything, as section 14.2 allows.
 */
function requestedRange(c: Context, served: Representation, headers: Record<string, string>) {
  const header = c.req.header('Range');
  const condition = c.req.header('If-Range');
  if (header === undefined || (condition && condition !== served.etag && condition !== headers['Last-Modified'])) {
    return null;
  }
  const ranges = parseRange(served.length, header);
  if (ranges === -1) return 'unsatisfiable';
  if (ranges === -2 || ranges.type !== 'bytes' || ranges.length !== 1) return null;
  return ranges[0] ?? null;
}
