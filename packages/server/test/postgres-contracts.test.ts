import { describe, onTestFinished } from 'vitest';
import { openPostgres } from '../src/adapters/postgres/open-postgres.ts';
import { noMetrics } from '../src/ports/metrics.ts';
import { silentLogger } from '../src/logger.ts';
import { accountStoreContract } from './contracts/account-store.ts';
import { uploadLimiterContract } from './contracts/upload-limiter.ts';
import { slidingLogContract } from './contracts/sliding-log.ts';
import { noPostgres, usePostgres } from './postgres.ts';

const UPLOADS = { uploads: 5, windowMs: 60_000 };

describe.skipIf(noPostgres !== null)('PostgreSQL', () => {
  const { newDatabase } = usePostgres();

  accountStoreContract('PostgreSQL', newDatabase, async (url, now) => {
    const { store } = await openPostgres({ url, uploadLimit: UPLOADS, logger: silentLogger, metrics: noMetrics, now });
    return store;
  });

  uploadLimiterContract('PostgreSQL', async ({ limit, windowMs, now }) => {
    const url = await newDatabase();
    const { store, limiter } = await openPostgres({
      url,
      uploadLimit: { uploads: limit, windowMs },
      logger: silentLogger,
      metrics: noMetrics,
      now,
    });
    onTestFinished(() => store.close());
    return limiter;
  });

  slidingLogContract('PostgreSQL', async (now) => {
    const url = await newDatabase();
    const { store, openLog } = await openPostgres({
      url,
      uploadLimit: UPLOADS,
      logger: silentLogger,
      metrics: noMetrics,
      now,
    });
    onTestFinished(() => store.close());
    return openLog;
  });
});
