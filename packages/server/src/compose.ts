import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Hono } from 'hono';
import { createStoreWatch } from './adapters/count-store-errors.ts';
import { lockDataFolder, LOOK_INTERVAL } from './adapters/filesystem/data-folder.ts';
import { openIncoming } from './adapters/filesystem/incoming.ts';
import { readMetricsToken } from './adapters/filesystem/metrics-token.ts';
import { openSecretFile, rereadSecretFile, sweepSecretDrafts } from './adapters/filesystem/secret-file.ts';
import { createMetadataStripper } from './adapters/metadata/strip-metadata.ts';
import { createHeaderDecoder } from './adapters/header/header-decoder.ts';
import { createSharpDecoder } from './adapters/sharp/picture-decoder.ts';
import type { AppEnv } from './app-env.ts';
import { buildApp } from './app.ts';
import { readConfig, type ServerConfig } from './config.ts';
import { StartError } from './errors.ts';
import { silentLogger, type Logger } from './logger.ts';
import { refuseMovedData } from './maintenance/migration-note.ts';
import { STAGING } from './maintenance/restore-data.ts';
import { openAccounts, type AccountParts } from './open-accounts.ts';
import { openImages } from './open-images.ts';
import { noMetrics, type Metrics } from './ports/metrics.ts';
import { problemResponse } from './problem-response.ts';
import { newRequestId } from './request-id.ts';
import { createAccounts } from './services/accounts.ts';
import { createAttemptLimits } from './services/attempt-limits.ts';
import { createImages } from './services/images.ts';
import { createKeyRing } from './services/key-ring.ts';
import { createPasswords } from './services/passwords.ts';
import { createReadiness, type Readiness } from './services/readiness.ts';
import { createReceiveImage } from './services/receive-image.ts';
import { createSessions } from './services/sessions.ts';
import { createSmallVersions } from './services/small-versions.ts';
import { createUploadKeys } from './services/upload-keys.ts';
import { createUnderWay } from './under-way.ts';
import { readVersion } from './version.ts';

const SWEEP_INTERVAL = 60 * 60 * 1000;

/** How soon an expired picture is gone from the disk, and what a failing disk has kept of a removed user. */
const EXPIRY_INTERVAL = 10 * 60 * 1000;

/** How soon a removal that the disk has refused is tried again. */
const RETRY_INTERVAL = 1000;

/** How soon a running server takes a rotated secret. */
const SECRET_INTERVAL = 2000;

/** bcrypt's cost in production: a quarter of a second a password. */
const PASSWORD_COST = 12;

export interface AppOptions extends Partial<ServerConfig> {
  /** The data folder, held by this app alone until it is closed. */
  data: string;
  /** Milliseconds since the epoch; for tests. */
  now?: () => number;
  /** bcrypt's cost, 4 to 31; for tests. */
  passwordCost?: number;
  logger?: Logger;
}

export interface ImgupApp {
  /** Answers a request; can be given to any server that speaks the Fetch API. */
  fetch: Hono<AppEnv>['fetch'];
  /** What `/metrics` shows; whoever embeds the app can add to it. */
  metrics: Metrics;
  /** Refuses new requests, ends what is being decoded, finishes what is being stored, and frees the data folder. */
  close(): Promise<void>;
}

/**
 * Opens the data folder and builds the whole server without a port, for embedding and for tests.
 *
 *     const imgup = await createApp({ data: './data' });
 *     const answer = await imgup.fetch(new Request('http://localhost/api'));
 *     await imgup.close();
 *
 * @throws StartError where a setting or the data folder cannot be used
 */
export async function createApp(options: AppOptions): Promise<ImgupApp> {
  const { now = Date.now, passwordCost = PASSWORD_COST, logger = silentLogger, ...settings } = options;
  const config: ServerConfig = {
    ...readConfig({ flags: { data: options.data }, env: {} }),
    ...settings,
  };
  const { data, maxBytes, registration } = config;
  requireSharedSecret(config);

  const metricsToken = await readMetricsToken(config.metricsToken, config.metricsTokenFile);
  const metrics = metricsToken === null ? noMetrics : await loadMetrics();
  const watchStore = createStoreWatch(metrics);

  const lock = await lockDataFolder(data);
  let accountParts: AccountParts | undefined;
  try {
    await refuseMovedData(config);
    if (config.secrets === null) await sweepSecretDrafts(config.secretFile);
    const keyRing = await createKeyRing(config.secrets ?? (await openSecretFile(config.secretFile, now())));
    accountParts = await openAccounts({ config, logger, now: options.now, metrics });
    const store = watchStore('accounts', accountParts.store);
    const limiter = watchStore('limiter', accountParts.limiter);
    // A restore may have been killed when all but this was done: otherwise the accounts do not open.
    await rm(join(data, STAGING), { recursive: true, force: true });
    const incoming = watchStore('incoming', await openIncoming(join(data, 'incoming')));
    const pictures = await openImages({ config, now, logger });
    const { left } = pictures;
    const imageStore = watchStore('images', pictures.store);
    const cache = watchStore('cache', pictures.cache);
    const probe = watchStore('disk', pictures.probe);
    const swept = incoming.swept + left.swept;
    if (swept > 0) logger.warn({ files: swept }, 'files that an interrupted server had left were swept');
    if (left.kept > 0) {
      logger.warn({ pictures: left.kept }, 'pictures whose records are lost: run imgup admin check --repair');
    }
    const attempts = createAttemptLimits({ ...config.loginLimit, openLog: accountParts.openLog });
    const passwords = createPasswords({ cost: passwordCost, metrics });
    const sessions = createSessions({ store, keyRing, accessTtl: config.accessTtl });
    const uploadKeys = createUploadKeys({ store });
    const isUser = async (userId: string) => (await store.findUser(userId)) !== null;
    const decoder = createSharpDecoder({ maxPixels: config.maxPixels, metrics });
    const checker = config.verify === 'full' ? decoder : createHeaderDecoder({ decoder, maxPixels: config.maxPixels });
    const smallVersions = createSmallVersions({ store: imageStore, cache, decoder, now });
    const images = createImages({ store: imageStore, smallVersions, now, logger });
    const finishRemovals = async () => {
      await Promise.all([images.finishRemovals(), incoming.finishRemovals()]);
    };
    const readiness = createReadiness({ probe, store, finish: finishRemovals, minFree: config.minFree });
    const accounts = createAccounts({ store, images, passwords, sessions, registration });
    const receiveImage = createReceiveImage({
      store: imageStore,
      incoming,
      createStripper: createMetadataStripper,
      decoder: checker,
      smallVersions,
      isUser,
      maxBytes,
      quota: config.quota,
      now,
    });
    const app = buildApp({
      ...config,
      metrics,
      metricsToken,
      accounts,
      sessions,
      uploadKeys,
      images,
      receiveImage,
      smallVersions,
      links: pictures.links,
      limiter,
      attempts,
      readiness,
      logger,
      version: readVersion(),
    });

    const { warnOfManyUsers } = accountParts;
    await warnOfFullDisk(readiness, logger);
    await warnOfManyUsers();
    const underWay = createUnderWay();
    let closing = false;
    const stop = new AbortController();
    const background = (work: () => Promise<void>) => attempt(logger, () => underWay.add(work()));
    // A disk that is full or broken keeps nobody from reading what is on it.
    await background(accounts.sweepRemovals);
    await background(sessions.sweep);
    const sweepExpired = () => images.sweepExpired(stop.signal);
    await background(sweepExpired);
    // Looks at everything that is stored, which nobody need wait for.
    void background(pictures.sweepLeftovers);
    const stopSweeping = repeat(SWEEP_INTERVAL, async () => {
      await background(warnOfManyUsers);
      await background(sessions.sweep);
      await background(pictures.sweepLeftovers);
    });
    const stopExpiring = repeat(EXPIRY_INTERVAL, async () => {
      await background(sweepExpired);
      await background(accounts.sweepRemovals);
    });
    // Silent: who has asked for it was told, and so was the log.
    const stopRetrying = repeat(RETRY_INTERVAL, () => underWay.add(finishRemovals().catch(() => undefined)));
    const rereadSecret = async () => {
      if (config.secrets !== null) return;
      const secrets = await rereadSecretFile(config.secretFile, now());
      // Missing for an instant (a restore, a volume that comes back): what is known stays good.
      if (secrets !== null) await keyRing.replace(secrets);
    };
    const keepLock = async () => {
      if (closing) return;
      await lock.keep().catch((error: unknown) => {
        // For want of a descriptor, say: there is a next time.
        if (!(error instanceof StartError)) return;
        // What it would store from now on, the other would not know.
        closing = true;
        throw error;
      });
    };
    const stopLooking = repeat(LOOK_INTERVAL, () => background(keepLock));
    const stopRereading = repeat(SECRET_INTERVAL, () => background(rereadSecret));

    return {
      metrics,
      fetch(...request) {
        if (closing) {
          const requestId = newRequestId();
          return problemResponse('server_busy', 'The server is stopping.', {
            headers: { 'Retry-After': '5' },
            requestId,
          });
        }
        return underWay.add(Promise.resolve(app.fetch(...request)));
      },
      async close() {
        closing = true;
        stop.abort();
        stopSweeping();
        stopExpiring();
        stopRetrying();
        stopRereading();
        stopLooking();
        pictures.stop();
        await Promise.all([passwords.close(), decoder.close()]);
        // Some go on after their clients have gone.
        await underWay.ended();
        await store.close();
        pictures.close();
        await lock.release();
      },
    };
  } catch (error) {
    await accountParts?.store.close();
    await lock.release();
    throw error;
  }
}

/** Only who wants metrics pays for the library. */
async function loadMetrics(): Promise<Metrics> {
  const { createPrometheusMetrics } = await import('./adapters/prometheus/metrics.ts');
  return createPrometheusMetrics();
}

/** Otherwise the owner would hear of it from whoever is refused first. */
async function warnOfFullDisk(readiness: Readiness, logger: Logger): Promise<void> {
  try {
    const giveBack = await readiness.takeRoom(0);
    giveBack();
  } catch (error) {
    logger.warn({ reason: (error as Error).message }, 'uploads are refused for now; see --min-free');
  }
}

/** A failure is logged, and the next time comes. */
async function attempt(logger: Logger, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    logger.error({ err: error }, 'background work failed');
  }
}

/** Repeats work in the background, which keeps no process alive; what takes longer than the interval misses turns. */
function repeat(interval: number, work: () => Promise<void>): () => void {
  let isAtWork = false;
  const turn = async () => {
    if (isAtWork) return;
    isAtWork = true;
    await work();
    isAtWork = false;
  };
  const timer = setInterval(() => void turn(), interval).unref();
  return () => {
    clearInterval(timer);
  };
}

/**
 * Servers with one database must make and know the same tokens, and a secret file would be another one on each.
 *
 * @throws StartError `config_invalid`
 */
function requireSharedSecret({ accounts, secrets }: ServerConfig): void {
  if (accounts === null || secrets !== null) return;
  const message =
    'With --accounts, IMGUP_SECRET must hold the secret that all servers share: 64 hex digits, which `openssl rand -hex 32` makes.';
  throw new StartError('config_invalid', message);
}
