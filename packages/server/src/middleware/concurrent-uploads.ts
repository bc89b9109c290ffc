import { createMiddleware } from 'hono/factory';
import type { AppEnv } from '../app-env.ts';
import { AppError } from '../errors.ts';
import type { UploadLimiter } from '../ports/upload-limiter.ts';

/** Uploads at once, in all and of one user. Each holds a descriptor and up to half a megabyte of memory. */
const MAX_IN_ALL = 256;
const MAX_PER_USER = 64;

/**
 * Bounds the uploads that are being received at the same time. Goes after `authenticateUpload`, and before `uploadLimit`,
 * because what is refused here must take no slot there.
 */
export function concurrentUploads(limiter: UploadLimiter) {
  const perUser = new Map<string, number>();
  let inAll = 0;

  return createMiddleware<AppEnv>(async function concurrentUploads(c, next) {
    const userId = c.var.user.id;
    const mine = () => perUser.get(userId) ?? 0;
    // Whoever is over the upload limit is told that, which lasts longer.
    const isFull = inAll >= MAX_IN_ALL || mine() >= MAX_PER_USER;
    if (isFull && (await limiter.peek(userId)).admitted) {
      throw new AppError('server_busy', 'Too many uploads are under way. Try again in a few seconds.', {
        headers: { 'Retry-After': '5' },
      });
    }
    inAll += 1;
    perUser.set(userId, mine() + 1);
    try {
      await next();
    } finally {
      inAll -= 1;
      const left = mine() - 1;
      if (left === 0) perUser.delete(userId);
      else perUser.set(userId, left);
    }
  });
}
