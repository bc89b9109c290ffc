import { join } from 'node:path';
import type { Hono } from 'hono';
import { lockDataFolder } from './adapters/filesystem/data-folder.ts';
import { openFilesystemImageStore } from './adapters/filesystem/image-store.ts';
import { openIncoming } from './adapters/filesystem/incoming.ts';
import { openSecretFile } from './adapters/filesystem/secret-file.ts';
import { openLowdbAccountStore } from './adapters/lowdb/account-store.ts';
import { createMemoryUploadLimiter } from './adapters/memory/upload-limiter.ts';
import { measurePicture } from './adapters/sharp/measure-picture.ts';
import type { AppEnv } from './app-env.ts';
import { buildApp } from './app.ts';
import { readConfig, type ServerConfig } from './config.ts';
import { silentLogger, type Logger } from './logger.ts';
import { createAccounts } from './services/accounts.ts';
import { createImages } from './services/images.ts';
import { deriveKeys } from './services/keys.ts';
import { createPasswords } from './services/passwords.ts';
import { createSessions } from './services/sessions.ts';
import { readVersion } from './version.ts';

const SWEEP_INTERVAL = 60 * 60 * 1000;

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
  /** Finishes what is being stored, and frees the data folder. */
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
  const { data, uploadLimit, maxBytes, registration, publicUrl } = config;

  const lock = await lockDataFolder(data);
  try {
    const secret = config.secret ?? (await openSecretFile(config.secretFile));
    const store = await openLowdbAccountStore(join(data, 'db.json'));
    const imageStore = await openFilesystemImageStore(join(data, 'images'));
    const incoming = await openIncoming(join(data, 'incoming'));
    const limiter = createMemoryUploadLimiter({
      limit: uploadLimit.uploads,
      windowMs: uploadLimit.windowMs,
      now,
    });
    const passwords = createPasswords({ cost: passwordCost });
    const sessions = await createSessions({
      store,
      keys: deriveKeys(secret),
      accessTtl: config.accessTtl,
      now,
    });
    const accounts = createAccounts({ store, passwords, sessions, registration, now });
    const images = createImages({
      store: imageStore,
      incoming,
      measure: measurePicture,
      maxBytes,
      now,
    });
    const version = readVersion();
    const parts = {
      accounts,
      sessions,
      images,
      limiter,
      logger,
      publicUrl,
      registration,
      maxBytes,
      version,
    };
    const app = buildApp(parts);

    await sessions.sweep();
    const sweeping = setInterval(() => {
      sessions.sweep().catch((error: unknown) => {
        logger.error({ err: error }, 'ended sessions could not be removed');
      });
    }, SWEEP_INTERVAL).unref();

    return {
      fetch: app.fetch,
      async close() {
        clearInterval(sweeping);
        await passwords.close();
        await store.close();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}
