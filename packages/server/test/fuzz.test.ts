import { join } from 'node:path';
import { problemResponse } from '@imgup/shared';
import { readConfig, startServer } from '@imgup/server';
import * as v from 'valibot';
import { expect, onTestFinished, test } from 'vitest';
import { sendGenerated } from '../../../torture/send-generated.js';
import { temporaryFolder } from './test-app.ts';

test('no generated request causes a 5xx, an error that is no problem, or a file outside of the data folder', async () => {
  const data = join(await temporaryFolder(), 'data');
  const config = readConfig({ flags: { data, port: '0' }, env: {} });
  const server = await startServer({
    ...config,
    passwordCost: 4,
    minFree: 0,
    uploadLimit: { uploads: 1_000_000, windowMs: 60_000 },
    loginLimit: { attempts: 1_000_000, windowMs: 60_000 },
  });
  onTestFinished(() => server.close());
  const isProblem = (body: unknown) => v.is(problemResponse, body);
  const { faults } = await sendGenerated({ url: server.url, data, requests: 400, streams: 100, isProblem });
  expect(faults).toEqual([]);
}, 60_000);
