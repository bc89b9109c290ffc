import { paths, picturePath, type ImageResponse } from '@imgup/shared';
import contentDisposition from 'content-disposition';
import { Hono, type Context } from 'hono';
import { createMiddleware } from 'hono/factory';
import type { AppEnv } from '../app-env.ts';
import { AppError } from '../errors.ts';
import { authenticate } from '../middleware/authenticate.ts';
import { isBehindTrustedProxy, type Network } from '../middleware/client-address.ts';
import { concurrentUploads } from '../middleware/concurrent-uploads.ts';
import { uploadLimit } from '../middleware/upload-limit.ts';
import type { ImageRecord } from '../ports/image-store.ts';
import type { UploadLimiter } from '../ports/upload-limiter.ts';
import type { Images } from '../services/images.ts';
import type { Readiness } from '../services/readiness.ts';
import type { Sessions } from '../services/sessions.ts';
import { receiveFilePart } from './multipart.ts';
import { contentLength, requestBody } from './request-body.ts';

interface ImageRoutesOptions {
  images: Images;
  sessions: Sessions;
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

export function imageRoutes(options: ImageRoutesOptions) {
  const { images, sessions, limiter, readiness, maxBytes, publicUrl, trustedProxies } = options;

  /** Refuses what its headers show to be hopeless, so that it takes no slot of the limit. */
  const checkHeaders = createMiddleware<AppEnv>(async function checkHeaders(c, next) {
    const encoding = c.req.header('Content-Encoding');
    if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
      throw new AppError('content_type_unsupported', 'Send the picture as it is, without a Content-Encoding.');
    }
    const length = contentLength(c);
    if (length === 0) throw new AppError('image_empty', 'The picture is empty. Send the bytes of a picture.');
    if (length !== null) images.checkLength(isMultipart(c) ? length - MULTIPART_OVERHEAD : length);
    expectedSha256(c);
    const giveBack = await readiness.takeRoom(length ?? maxBytes);
    try {
      await next();
    } finally {
      giveBack();
    }
  });

  return new Hono<AppEnv>().post(
    paths.images,
    authenticate(sessions),
    checkHeaders,
    concurrentUploads(limiter),
    uploadLimit(limiter),
    async (c) => {
      const owner = c.var.auth.user.id;
      const body = requestBody(c);
      const expected = expectedSha256(c);
      const { record, created } = isMultipart(c)
        ? await receiveFilePart(c.req.header('Content-Type') ?? '', body, ({ name, source }) =>
            images.upload({ owner, source, name, expectedSha256: expected }),
          )
        : await images.upload({ owner, source: body, name: fileName(c), expectedSha256: expected });
      const origin = publicUrl ?? requestOrigin(c, trustedProxies);
      const image = imageResponse(record, origin);
      return c.json(image, created ? 201 : 200, { Location: image.url });
    },
  );
}

function imageResponse(record: ImageRecord, origin: string): ImageResponse {
  return {
    id: record.id,
    url: origin + picturePath(record.owner, record.id, record.extension),
    name: record.name,
    type: record.type,
    bytes: record.bytes,
    width: record.width,
    height: record.height,
    sha256: record.sha256,
    created_at: record.createdAt,
  };
}

/** The origin that the client has sent its request to, as a trusted proxy tells it or as the request itself does. */
function requestOrigin(c: Context<AppEnv>, trustedProxies: Network[]): string {
  const url = new URL(c.req.url);
  if (!isBehindTrustedProxy(c, trustedProxies)) return url.origin;
  const protocol = c.req.header('X-Forwarded-Proto') ?? url.protocol.slice(0, -1);
  const forwarded = `${protocol}://${c.req.header('X-Forwarded-Host') ?? url.host}`;
  return /^https?:/.test(forwarded) && URL.canParse(forwarded) ? new URL(forwarded).origin : url.origin;
}

function isMultipart(c: Context): boolean {
  return /^multipart\/form-data\b/i.test(c.req.header('Content-Type') ?? '');
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
