// Stands in for the server's compose.ts under `npm run test:scale` (vitest.config.ts).
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { parseS3Location, type AppOptions, type ImgupApp } from '@imgup/server';
import { onTestFinished } from 'vitest';
import { makeOwnEngines } from '../../server/test/own-engines.js';
import { createApp as createOne } from '../../server/src/compose.ts';

export type { AppOptions, ImgupApp } from '../../server/src/compose.ts';

/** By data folder: a server that is opened there again finds what it had. */
const enginesOf = new Map<string, ReturnType<typeof openEngines>>();

/** Two servers that share a database and a store of their own, and answer in turns. */
export async function createApp(options: AppOptions): Promise<ImgupApp> {
  const { accounts = null, images = null } = options;
  if (accounts !== null || images !== null) return createOne(options);
  const data = resolve(options.data);
  const secret = createHash('sha256').update(data).digest();
  const opening = enginesOf.get(data) ?? openEngines();
  enginesOf.set(data, opening);
  const shared = { ...options, ...(await opening), secrets: options.secrets ?? ([secret] as [Buffer]) };
  const first = await createOne(shared);
  const second = await createOne({ ...shared, data: join(data, 'second') }).catch(async (error: unknown) => {
    await first.close();
    throw error;
  });
  let asked = 0;
  return {
    metrics: first.metrics,
    fetch(...request) {
      asked += 1;
      return (asked % 2 === 0 ? first : second).fetch(...request);
    },
    async close() {
      await Promise.all([first.close(), second.close()]);
    },
  };
}

async function openEngines() {
  const made = await makeOwnEngines();
  const images = made && parseS3Location(made.images);
  if (made === null || images === null) throw new Error('npm run test:scale starts the engines');
  onTestFinished(made.remove);
  return { accounts: made.accounts, images };
}
