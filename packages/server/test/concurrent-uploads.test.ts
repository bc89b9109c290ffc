import { Hono } from 'hono';
import { expect, test } from 'vitest';
import type { AppEnv } from '../src/app-env.ts';
import { AppError } from '../src/errors.ts';
import { createMemoryUploadLimiter } from '../src/adapters/memory/upload-limiter.ts';
import { concurrentUploads } from '../src/middleware/concurrent-uploads.ts';

test('of 256 uploads at once, however many users they are of, the next is told to come back', async () => {
  const limiter = createMemoryUploadLimiter({ limit: 1000, windowMs: 60_000, now: () => 0 });
  let finish = () => undefined as void;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const app = new Hono<AppEnv>()
    .use(async (c, next) => {
      c.set('user', { id: c.req.path, username: 'ada', role: 'user', passwordHash: '', createdAt: 0 });
      await next();
    })
    .use(concurrentUploads(limiter))
    .post('*', async (c) => {
      if (c.req.path !== '/last') await finished;
      return c.body(null, 201);
    })
    .onError((error, c) => c.text(error instanceof AppError ? error.code : error.message, 503));
  const upload = async (path: string) => app.request(path, { method: 'POST' });
  const taken = Array.from({ length: 255 }, (_, user) => upload(`/${user}`));
  expect((await upload('/last')).status).toBe(201);
  taken.push(upload('/256'));
  expect(await (await upload('/last')).text()).toBe('server_busy');
  finish();
  expect(new Set((await Promise.all(taken)).map(({ status }) => status))).toEqual(new Set([201]));
  expect((await upload('/last')).status).toBe(201);
});
