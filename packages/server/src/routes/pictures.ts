import { Readable } from 'node:stream';
import { paths, SMALL_WIDTHS, type SmallWidth } from '@imgup/shared';
import contentDisposition from 'content-disposition';
import { Hono, type Context } from 'hono';
import { parseAccept } from 'hono/utils/accept';
import type { AppEnv } from '../app-env.ts';
import { AppError } from '../errors.ts';
import type { DirectLinks, LinkHeaders } from '../ports/direct-links.ts';
import type { ImageRecord } from '../ports/image-store.ts';
import type { Images } from '../services/images.ts';
import type { SmallVersions } from '../services/small-versions.ts';
import { decideStatus } from './decide-status.ts';

/** Bytes that can be answered: what they are called, how many, and any part of them. Read them or close them. */
interface Representation {
  type: string;
  etag: string;
  length: number;
  read(range?: { start: number; end: number }): Readable | Promise<Readable>;
  close(): void | Promise<void>;
  /** Where the storage hands them out itself; null: it does not. */
  link: ((headers: LinkHeaders, seconds: number) => Promise<string>) | null;
}

interface PictureRoutesOptions {
  images: Images;
  smallVersions: SmallVersions;
  links: DirectLinks | null;
}

/** Seconds that a reader may follow a link to the storage, and remember that it leads there. */
const LINK_LIFE = 300;
const REDIRECT_FRESH = 60;

/** Pictures by their public links. */
export function pictureRoutes({ images, smallVersions, links }: PictureRoutesOptions) {
  async function representation(c: Context, record: ImageRecord, width: SmallWidth | null): Promise<Representation> {
    // Never enlarged: a version that would be as wide as the picture is the picture.
    const isSmaller = width !== null && width < record.width;
    const small = isSmaller ? await smallVersions.get(record, width, takesWebp(c)) : null;
    if (small !== null) {
      const { file, type, tag, key } = small;
      const link: Representation['link'] = links && ((headers, life) => links.toSmallVersion(key, headers, life));
      return { link, type, etag: `"${record.sha256}-${tag}"`, length: file.bytes, read: file.read, close: file.close };
    }
    const { type, sha256, bytes } = record;
    const read: Representation['read'] = (range) => images.read(record, range);
    const link: Representation['link'] = links && ((linked, life) => links.toPicture(record, linked, life));
    return { type, etag: `"${sha256}"`, length: bytes, read, close: () => undefined, link };
  }

  async function answer(c: Context, record: ImageRecord, width: SmallWidth | null): Promise<Response> {
    const served = await representation(c, record, width);
    const { type, etag, length } = served;
    const lastModified = new Date(record.createdAt).toUTCString();
    const headers: Record<string, string> = {
      'Content-Type': type,
      'Content-Disposition': contentDisposition(record.name ?? `${record.id}.${record.extension}`, { type: 'inline' }),
      'Accept-Ranges': 'bytes',
      ETag: etag,
      'Cache-Control': `public, max-age=${images.freshFor(record)}`,
      'Last-Modified': lastModified,
      // Nothing in a picture may run, and it may be embedded elsewhere.
      'Content-Security-Policy': "default-src 'none'; sandbox",
      'Cross-Origin-Resource-Policy': 'cross-origin',
      ...(width !== null && { Vary: 'Accept' }),
    };
    const decision = decideStatus(c, { etag, lastModified, length });
    if ('range' in decision && served.link !== null && c.req.method === 'GET') {
      await served.close();
      return redirect(c, record, served.link, headers);
    }
    if ('range' in decision) {
      const { status, range } = decision;
      headers['Content-Length'] = `${range === null ? length : range.end - range.start + 1}`;
      if (range !== null) headers['Content-Range'] = `bytes ${range.start}-${range.end}/${length}`;
      if (c.req.method === 'GET') {
        return c.body(Readable.toWeb(await served.read(range ?? undefined)) as ReadableStream, status, headers);
      }
    }
    await served.close();
    if (decision.status === 412) {
      throw new AppError('precondition_failed', 'The picture is not the one that the request names.');
    }
    if (decision.status === 416) headers['Content-Range'] = `bytes */${length}`;
    return c.body(null, decision.status, headers);
  }

  /** Sends a reader to the storage. The range, if there is one, is asked for there again. */
  async function redirect(
    c: Context,
    record: ImageRecord,
    link: NonNullable<Representation['link']>,
    headers: Record<string, string>,
  ): Promise<Response> {
    const fresh = images.freshFor(record);
    const life = Math.min(LINK_LIFE, fresh);
    const location = await link(
      {
        contentType: headers['Content-Type'] ?? '',
        contentDisposition: headers['Content-Disposition'] ?? '',
        cacheControl: `private, max-age=${life}`,
      },
      life,
    );
    return c.body(null, 307, {
      Location: location,
      // Whoever else could keep it would hand out a link that works no longer.
      'Cache-Control': `private, max-age=${Math.min(REDIRECT_FRESH, fresh)}`,
      'Cross-Origin-Resource-Policy': 'cross-origin',
      ...('Vary' in headers && { Vary: 'Accept' }),
    });
  }

  return new Hono<AppEnv>().get(paths.picture, async (c) => {
    const width = smallWidth(c);
    const [, id = '', extension = ''] = /^([0-9a-z]+)\.([a-z]+)$/.exec(c.req.param('file') ?? '') ?? [];
    const find = () => images.find(c.req.param('owner') ?? '', id, extension);
    const record = await find();
    if (record === null) throw noPicture();
    try {
      return await answer(c, record, width);
    } catch (error) {
      // Whatever went wrong, it may have been taken back while it was being read.
      throw (await find()) === null ? noPicture() : error;
    }
  });
}

function noPicture(): AppError {
  return new AppError('not_found', 'There is no picture at this link.');
}

/** Only who names WebP gets it: programs that take anything may well be unable to show it. */
function takesWebp(c: Context): boolean {
  const named = parseAccept(c.req.header('Accept') ?? '').filter(({ type }) => type.toLowerCase() === 'image/webp');
  return named.length > 0 && named.every(({ q }) => q > 0);
}

/** `?w=`, one of the widths that small versions come in, or null. @throws AppError `invalid_request` */
function smallWidth(c: Context): SmallWidth | null {
  const text = c.req.query('w');
  if (text === undefined) return null;
  const width = SMALL_WIDTHS.find((each) => `${each}` === text);
  if (width !== undefined) return width;
  throw new AppError('invalid_request', `w must be one of ${SMALL_WIDTHS.join(', ')}.`);
}
