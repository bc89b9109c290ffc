import { problems } from '@imgup/shared';
import { Hono, type Context } from 'hono';
import type { AppEnv } from './app-env.ts';
import { AppError } from './errors.ts';
import type { Logger, LogLevel } from './logger.ts';
import type { Network } from './middleware/client-address.ts';
import { identifyRequests } from './middleware/identify-requests.ts';
import { methodNotAllowed } from './middleware/method-not-allowed.ts';
import { observeRequests } from './middleware/observe-requests.ts';
import type { DirectLinks } from './ports/direct-links.ts';
import type { Metrics } from './ports/metrics.ts';
import type { UploadLimiter } from './ports/upload-limiter.ts';
import { problemResponse } from './problem-response.ts';
import { createRequestMetrics } from './request-metrics.ts';
import { authRoutes } from './routes/auth.ts';
import { imageRoutes } from './routes/images.ts';
import { keyRoutes } from './routes/keys.ts';
import { metricsRoutes } from './routes/metrics.ts';
import { openapiRoutes } from './routes/openapi.ts';
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
  metrics: Metrics;
  metricsToken: string | null;
  logLevel: LogLevel;
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
  app.use(identifyRequests(parts.trustedProxies));
  app.use(observeRequests({ ...parts, requestMetrics: createRequestMetrics(parts.metrics) }));
  app.use(async (c, next) => {
    c.header('X-Content-Type-Options', 'nosniff');
    await next();
  });

  app.route('/', publicRoutes(parts));
  app.route('/', metricsRoutes(parts));
  app.route('/', openapiRoutes({ version: parts.version, routes: app.routes }));
  app.route('/', authRoutes(parts));
  app.route('/', sessionRoutes(parts));
  app.route('/', keyRoutes(parts));
  app.route('/', userRoutes(parts));
  app.route('/', imageRoutes(parts));
  app.route('/', pictureRoutes(parts));
  methodNotAllowed(app);

  const refuse = (c: Context<AppEnv>, { code, message, headers }: AppError) => {
    c.set('problem', code);
    return problemResponse(code, message, { headers, requestId: c.var.requestId });
  };
  app.notFound((c) =>
    refuse(c, new AppError('not_found', 'There is nothing here. GET /api says what this server offers.')),
  );
  app.onError((error, c) => {
    if (error instanceof AppError) {
      if (problems[error.code].status >= 500)
        parts.logger.error({ err: error, request_id: c.var.requestId }, error.message);
      return refuse(c, error);
    }
    parts.logger.error({ err: error, request_id: c.var.requestId }, 'a request failed');
    return refuse(c, storageProblem(error) ?? new AppError('internal_error', 'The server failed. Its log says why.'));
  });
  return app;
}

/** A disk that refuses a write is not a bug: the client is told what it can do. */
function storageProblem(error: Error): AppError | null {
  const code = 'code' in error ? error.code : undefined;
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new AppError('storage_full', 'The server has no room left. Tell its owner, and try again later.');
    default: {
      // Whatever else the system refuses (EIO, EROFS, EMFILE) comes from the storage, and may pass.
      if (!('syscall' in error)) return null;
      const detail = 'The server cannot use its storage at the moment. Try again later.';
      return new AppError('storage_unavailable', detail, { headers: { 'Retry-After': '30' } });
    }
  }
}
