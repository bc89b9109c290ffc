import { problems } from '@imgup/shared';
import { Hono } from 'hono';
import type { AppEnv } from './app-env.ts';
import { AppError } from './errors.ts';
import type { Logger } from './logger.ts';
import type { Network } from './middleware/client-address.ts';
import { logRequests } from './middleware/log-requests.ts';
import { methodNotAllowed } from './middleware/method-not-allowed.ts';
import type { DirectLinks } from './ports/direct-links.ts';
import type { UploadLimiter } from './ports/upload-limiter.ts';
import { problemResponse } from './problem-response.ts';
import { authRoutes } from './routes/auth.ts';
import { imageRoutes } from './routes/images.ts';
import { keyRoutes } from './routes/keys.ts';
import { pictureRoutes } from './routes/pictures.ts';
import { publicRoutes } from './routes/public.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { userRoutes } from './routes/users.ts';
import type { Accounts } from './services/accounts.ts';
import type { AttemptLimits } from './services/attempt-limits.ts';
import type { Images } from './services/images.ts';
import type { Readiness } from './services/readiness.ts';
import type { ReceiveImage } from './services/receive-image.ts';
import type { Sessions } from './services/sessions.ts';
import type { SmallVersions } from './services/small-versions.ts';
import type { UploadKeys } from './services/upload-keys.ts';

export interface AppParts {
  accounts: Accounts;
  sessions: Sessions;
  uploadKeys: UploadKeys;
  images: Images;
  limiter: UploadLimiter;
  logger: Logger;
  attempts: AttemptLimits;
  readiness: Readiness;
  publicUrl: string | null;
  trustedProxies: Network[];
  registration: 'open' | 'closed';
  receiveImage: ReceiveImage;
  smallVersions: SmallVersions;
  /** Null: pictures are handed out by the server itself. */
  links: DirectLinks | null;
  maxBytes: number;
  maxPixels: number;
  version: string;
}

/** The HTTP face: the order of the middleware, the routes, and how every failure is answered. */
export function buildApp(parts: AppParts): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.use(logRequests(parts.logger));
  app.use(async (c, next) => {
    await next();
    c.header('X-Content-Type-Options', 'nosniff');
  });

  app.route('/', publicRoutes(parts));
  app.route('/', authRoutes(parts));
  app.route('/', sessionRoutes(parts));
  app.route('/', keyRoutes(parts));
  app.route('/', userRoutes(parts));
  app.route('/', imageRoutes(parts));
  app.route('/', pictureRoutes(parts));
  methodNotAllowed(app);

  app.notFound(() => problemResponse('not_found', 'There is nothing here. GET /api says what this server offers.'));
  app.onError((error) => {
    if (error instanceof AppError) {
      if (problems[error.code].status >= 500) parts.logger.error({ err: error }, error.message);
      return problemResponse(error.code, error.message, error.headers);
    }
    parts.logger.error({ err: error }, 'a request failed');
    return storageProblem(error) ?? problemResponse('internal_error', 'The server failed. Its log says why.');
  });
  return app;
}

/** A disk that refuses a write is not a bug: the client is told what it can do. */
function storageProblem(error: Error): Response | null {
  const code = 'code' in error ? error.code : undefined;
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return problemResponse('storage_full', 'The server has no room left. Tell its owner, and try again later.');
    default: {
      // Whatever else the system refuses (EIO, EROFS, EMFILE) comes from the storage, and may pass.
      if (!('syscall' in error)) return null;
      const detail = 'The server cannot use its storage at the moment. Try again later.';
      return problemResponse('storage_unavailable', detail, { 'Retry-After': '30' });
    }
  }
}
