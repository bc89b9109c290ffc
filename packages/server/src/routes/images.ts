import { EXPIRY_MAX_MS, EXPIRY_MIN_MS, paths, type ImagesResponse } from '@imgup/shared';
import contentDisposition from 'content-disposition';
import { Hono, type Context } from 'hono';
import { accepts } from 'hono/accepts';
import { createMiddleware } from 'hono/factory';
import type { AppEnv } from '../app-env.ts';
import { AppError } from '../errors.ts';
import { authenticate, authenticateUpload, type Authenticators } from '../middleware/authenticate.ts';
import type { Network } from '../middleware/client-address.ts';
import { concurrentUploads } from '../middleware/concurrent-uploads.ts';
import { uploadLimit } from '../middleware/upload-limit.ts';
import { parseTime } from '../parse-time.ts';
import { digestKey } from '../ports/image-store.ts';
import type { UploadLimiter } from '../ports/upload-limiter.ts';
import type { Images } from '../services/images.ts';
import type { Readiness } from '../services/readiness.ts';
import type { ReceiveImage } from '../services/receive-image.ts';
import { imageResponse } from './image-response.ts';
import { receiveFilePart } from './multipart.ts';
import { contentLength, requestBody } from './request-body.ts';
import { requestOrigin } from './request-origin.ts';

interface ImageRoutesOptions extends Authenticators {
  images: Images;
  receiveImage: ReceiveImage;
  limiter: UploadLimiter;
  readiness: Readiness;
  /** The largest picture. */
  maxBytes: number;
  /** The origin of links, or null: then the origin that the request was sent to. */
  publicUrl: string | null;
  trustedProxies: Network[];
}

/** What a multipart body may hold beside the picture, in bytes. */
const MULTIPART_OVERHEAD = 64 * 1024;

const PAGE_DEFAULT = 50;
const PAGE_MAX = 200;

const NO_STORE = { 'Cache-Control': 'no-store' };

/** Uploading pictures, and what one has uploaded. */
export function imageRoutes(options: ImageRoutesOptions) {
  const { images, receiveImage, limiter, readiness, maxBytes, publicUrl, trustedProxies } = options;
  const origin = (c: Context<AppEnv>) => publicUrl ?? requestOrigin(c, trustedProxies);

  /** Refuses what its headers show to be hopeless, so that it takes no slot of the limit. */
  const checkHeaders = createMiddleware<AppEnv>(async function checkHeaders(c, next) {
    const encoding = c.req.header('Content-Encoding');
    if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
      throw new AppError('content_type_unsupported', 'Send the picture as it is, without a Content-Encoding.');
    }
    const length = contentLength(c);
    if (length === 0) throw new AppError('image_empty', 'The picture is empty. Send the bytes of a picture.');
    const least = isMultipart(c) ? (length ?? 0) - MULTIPART_OVERHEAD : (length ?? 0);
    await receiveImage.checkAhead({ owner: c.var.user.id, ...wishes(c) }, least);
    // The picture as it was sent and the one that is served lie side by side for a moment.
    const giveBack = await readiness.takeRoom(2 * (length ?? maxBytes));
    try {
      await next();
    } finally {
      giveBack();
    }
  });

  return new Hono<AppEnv>()
    .post(
      paths.images,
      authenticateUpload(options),
      checkHeaders,
      concurrentUploads(limiter),
      uploadLimit(limiter),
      async (c) => {
        const upload = { owner: c.var.user.id, ...wishes(c) };
        const body = requestBody(c);
        const { record, created } = isMultipart(c)
          ? await receiveFilePart(c.req.header('Content-Type') ?? '', body, ({ name, source }) =>
              receiveImage.receive({ ...upload, source, name }),
            )
          : await receiveImage.receive({ ...upload, source: body, name: fileName(c) });
        const image = imageResponse(record, origin(c));
        const status = created ? 201 : 200;
        const headers = { Location: image.url };
        return wantsText(c) ? c.text(`${image.url}\n`, status, headers) : c.json(image, status, headers);
      },
    )
    .get(paths.imageByDigest, authenticateUpload(options), async (c) => {
      const sha256 = c.req.param('sha256') ?? '';
      const key = /^[0-9a-f]{64}$/.test(sha256) ? digestKey(sha256, wishes(c).keepMetadata) : null;
      const record = key === null ? null : await images.findByDigest(c.var.user.id, key);
      if (record === null) throw new AppError('not_found', 'You have no picture with this digest. Upload it.');
      const image = imageResponse(record, origin(c));
      return c.json(image, 200, { ...NO_STORE, Location: image.url });
    })
    .get(paths.images, authenticate(options), async (c) => {
      const after = c.req.query('after') ?? null;
      const { records, next, total } = await images.list(c.var.auth.user.id, after, pageSize(c));
      const body: ImagesResponse = { images: records.map((record) => imageResponse(record, origin(c))), next, total };
      return c.json(body, 200, NO_STORE);
    })
    .get(paths.image, authenticate(options), async (c) => {
      const record = await images.get(c.var.auth.user.id, c.req.param('id') ?? '');
      return c.json(imageResponse(record, origin(c)), 200, NO_STORE);
    })
    .delete(paths.image, authenticate(options), async (c) => {
      await images.remove(c.var.auth.user.id, c.req.param('id') ?? '');
      return c.body(null, 204);
    });
}

function pageSize(c: Context): number {
  const text = c.req.query('limit') ?? `${PAGE_DEFAULT}`;
  const limit = Number(text);
  if (/^\d{1,3}$/.test(text) && limit >= 1 && limit <= PAGE_MAX) return limit;
  throw new AppError('invalid_request', `limit must be a number from 1 to ${PAGE_MAX}.`);
}

function isMultipart(c: Context): boolean {
  return /^multipart\/form-data\b/i.test(c.req.header('Content-Type') ?? '');
}

/** For a script without a reader of JSON: the link is all of the answer where `Accept: text/plain` asks for it. */
function wantsText(c: Context): boolean {
  const json = 'application/json';
  return accepts(c, { header: 'Accept', supports: [json, 'text/plain'], default: json }) === 'text/plain';
}

/** The name in Content-Disposition (RFC 6266), or null. It is for display, so a broken header is no error. */
function fileName(c: Context): string | null {
  const header = c.req.header('Content-Disposition');
  if (header === undefined) return null;
  try {
    return contentDisposition.parse(header).parameters['filename'] ?? null;
  } catch {
    return null;
  }
}

/** What the headers of an upload ask for. @throws AppError `invalid_request` */
function wishes(c: Context) {
  return {
    expectedSha256: expectedSha256(c),
    keepMetadata: c.req.header('X-Imgup-Metadata')?.toLowerCase() === 'keep',
    expiresIn: expiresIn(c),
  };
}

function expiresIn(c: Context): number | null {
  const header = c.req.header('X-Imgup-Expires');
  if (header === undefined) return null;
  const time = parseTime(header);
  if (time !== null && time >= EXPIRY_MIN_MS && time <= EXPIRY_MAX_MS) return time;
  throw new AppError('invalid_request', 'X-Imgup-Expires must be a time from 10m to 365d, such as 7d.');
}

/**
 * The SHA-256 in Repr-Digest (RFC 9530, section 3), in hex, or null where none is sent. Other algorithms are ignored.
 *
 * @throws AppError `invalid_request`
 */
function expectedSha256(c: Context): string | null {
  const header = c.req.header('Repr-Digest');
  const member = header?.split(',').find((part) => part.trim().startsWith('sha-256='));
  if (member === undefined) return null;
  const base64 = /^sha-256=:([A-Za-z0-9+/]{43}=):$/.exec(member.trim())?.[1];
  if (base64 === undefined) {
    throw new AppError('invalid_request', 'Repr-Digest must be "sha-256=:<base64 of the 32 bytes>:" (RFC 9530).');
  }
  return Buffer.from(base64, 'base64').toString('hex');
}
