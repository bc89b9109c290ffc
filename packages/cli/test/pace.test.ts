import { expect, test } from 'vitest';
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
