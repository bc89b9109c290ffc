import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Context } from 'hono';
import { expect, test } from 'vitest';
import type { AppEnv } from '../src/app-env.ts';
import { requestBody } from '../src/routes/request-body.ts';
import { eventually } from './eventually.ts';

const MEGABYTE = 1024 * 1024;

test('a body is never held: chunks that were taken are let go before its end', async () => {
  setFlagsFromString('--expose_gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const chunks = function* () {
    for (let number = 0; number < 64; number += 1) yield Buffer.alloc(MEGABYTE);
  };
  const incoming = Object.assign(Readable.from(chunks()), { headers: {} });
  const context = { env: { incoming } } as unknown as Context<AppEnv>;
  const held = () => {
    collectGarbage();
    return process.memoryUsage().arrayBuffers / MEGABYTE;
  };
  const before = held();
  let taken = 0;
  for await (const chunk of requestBody(context)) {
    taken += chunk.length / MEGABYTE;
    // A collection lets go of memory some turns later.
    if (taken === 60) await eventually(() => expect(held() - before).toBeLessThan(16));
  }
  expect(taken).toBe(64);
});
