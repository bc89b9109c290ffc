import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createMemoryUploadLimiter } from '../../server/src/adapters/memory/upload-limiter.ts';
import { ApiError } from '../src/errors.ts';
import type { UploadAnswer } from '../src/api/client.ts';
import type { LimitState } from '../src/api/limit-headers.ts';
import { createPace } from '../src/upload/pace.ts';

/** A pace of 5 uploads a minute, and what the server says of it. */
function pacing() {
  let at = 1_000_000;
  const state: LimitState = { quota: 5, windowSeconds: 60, uploads: 4, nextIn: 60, refused: 0 };
  const waited: number[] = [];
  const pace = createPace({
    patient: true,
    now: () => at,
    wait: async (ms) => {
      waited.push(ms);
      at += ms;
    },
    onWait: () => undefined,
  });
  const { signal } = new AbortController();
  return {
    state,
    /** How long was waited before each step since the last call of this. */
    waited: () => waited.splice(0),
    pass: (ms: number) => (at += ms),
    upload: () => pace(async () => ({ limit: { ...state } }) as UploadAnswer, signal),
    async refusedOnce() {
      let isFirst = true;
      await pace(async () => {
        if (!isFirst) return { limit: { ...state } } as UploadAnswer;
        isFirst = false;
        const limit = { uploads: 5, windowSeconds: 60 };
        throw new ApiError({ code: 'upload_limit_reached', detail: '', origin: '', retryAfter: 2, limit });
      }, signal);
    },
  };
}

test('alone, nothing is waited for but the limit', async () => {
  const { upload, waited, state } = pacing();
  await upload();
  await upload();
  expect(waited()).toEqual([]);
  Object.assign(state, { uploads: 0, nextIn: 3 });
  await upload();
  await upload();
  expect(waited()).toEqual([1000, 1000, 1000]);
});

test('where another has been refused, each upload leaves a pause for it, for a window', async () => {
  const { upload, waited, state, pass } = pacing();
  state.refused = 1;
  await upload();
  await upload();
  await upload();
  expect(waited()).toEqual([1000, 1000]);
  state.refused = 0;
  pass(61_000);
  await upload();
  await upload();
  expect(waited()).toEqual([]);
});

test('a refusal of its own is no sign of others', async () => {
  const { upload, refusedOnce, waited, state } = pacing();
  state.refused = 1;
  await refusedOnce();
  expect(waited()).toEqual([1000, 1000]);
  await upload();
  await upload();
  expect(waited()).toEqual([]);
  state.refused = 2;
  await upload();
  await upload();
  expect(waited()).toEqual([1000]);
});

describe('two processes of one user, at 5 uploads a minute', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test.each([0, 10, 700, 2_000])(
    'share them: neither is done long before the other (begun %i ms apart)',
    async (apart) => {
      const windowSeconds = 60;
      const limiter = createMemoryUploadLimiter({ limit: 5, windowMs: windowSeconds * 1000, now: Date.now });
      const seconds = (ms: number) => Math.ceil(ms / 1000);
      /** As the server's middleware does it. */
      async function send(): Promise<UploadAnswer> {
        const taken = await limiter.take('ada');
        if (!taken.admitted) {
          const limit = { uploads: 5, windowSeconds };
          const retryAfter = seconds(taken.nextSlotIn);
          throw new ApiError({ code: 'upload_limit_reached', detail: '', origin: '', retryAfter, limit });
        }
        await delay(40);
        const { remaining, nextSlotIn, refused } = await limiter.peek('ada');
        const limit = { quota: 5, windowSeconds, uploads: remaining, nextIn: seconds(nextSlotIn), refused };
        return { limit } as UploadAnswer;
      }

      const FILES = 20;
      const startedAt = Date.now();
      const uploaded = { a: 0, b: 0 };
      const { signal } = new AbortController();
      async function process(name: 'a' | 'b'): Promise<number> {
        const pace = createPace({ patient: true, now: Date.now, wait: (ms) => delay(ms), onWait: () => undefined });
        for (; uploaded[name] < FILES; uploaded[name] += 1) {
          await pace(send, signal);
          // The next file is asked for by its digest.
          await delay(15);
        }
        return Math.min(uploaded.a, uploaded.b);
      }
      const both = [process('a'), delay(apart).then(() => process('b'))];
      await vi.runAllTimersAsync();
      const [left = 0, right = 0] = await Promise.all(both);
      expect(Math.min(left, right)).toBeGreaterThanOrEqual(FILES / 2);
      // And hardly a slot is left unused for it: 40 uploads need seven windows at the least.
      expect(Date.now() - startedAt).toBeLessThan(8 * windowSeconds * 1000);
    },
  );
});

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}
