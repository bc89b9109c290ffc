import { describe, expect, test } from 'vitest';
import { createMemoryUploadLimiter } from '../src/adapters/memory/upload-limiter.ts';
import { uploadLimiterContract } from './contracts/upload-limiter.ts';
import { makePicture } from './pictures.ts';
import { openApp, refusal } from './test-app.ts';

uploadLimiterContract('memory', (options) => Promise.resolve(createMemoryUploadLimiter(options)));

describe('the upload limit', () => {
  test('admits exactly 5 of 200 uploads sent at once, and tells the others when to come back', async () => {
    const app = await openApp();
    const { access_token } = await app.register('ada');
    const picture = await makePicture();
    const answers = await Promise.all(Array.from({ length: 200 }, () => app.upload(access_token, picture)));
    const admitted = answers.filter((answer) => answer.ok);
    const refused = answers.filter((answer) => answer.status === 429);
    expect([admitted.length, refused.length]).toEqual([5, 195]);
    for (const answer of refused) {
      expect(answer.headers.get('retry-after')).toBe('60');
      expect(answer.headers.get('ratelimit-policy')).toBe('"upload";q=5;w=60');
      expect(answer.headers.get('ratelimit')).toBe('"upload";r=0;t=60');
    }
    // As it is by the time of the answer.
    for (const answer of admitted) expect(answer.headers.get('ratelimit')).toBe('"upload";r=0;t=60');

    app.clock.now += 59_999;
    expect(await refusal(await app.upload(access_token, picture))).toBe('429 upload_limit_reached');
    app.clock.now += 1;
    expect((await app.upload(access_token, picture)).status).toBe(200);
  });

  test('of one user does not disturb another', async () => {
    const app = await openApp();
    const [ada, bob] = [await app.register('ada'), await app.register('bob')];
    const picture = await makePicture();
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) => app.upload((index % 2 ? ada : bob).access_token, picture)),
    );
    const admitted = answers.map((answer, index) => (answer.ok ? index % 2 : null)).filter((user) => user !== null);
    expect(admitted.filter((user) => user === 1)).toHaveLength(5);
    expect(admitted.filter((user) => user === 0)).toHaveLength(5);
  });

  test('counts no request that is refused for its headers, nor one without a token', async () => {
    const app = await openApp({ maxBytes: 1024 });
    const { access_token } = await app.register('ada');
    const picture = await makePicture();
    for (let time = 0; time < 10; time += 1) {
      expect((await app.upload('nonsense', picture)).status).toBe(401);
      expect((await app.upload(access_token, picture, { 'Content-Length': '5000' })).status).toBe(413);
    }
    expect((await app.upload(access_token, picture)).headers.get('ratelimit')).toBe('"upload";r=4;t=60');
  });

  test('is what the option says', async () => {
    const app = await openApp({ uploadLimit: { uploads: 2, windowMs: 3_600_000 } });
    const { access_token } = await app.register('ada');
    const picture = await makePicture();
    const statuses = [1, 2, 3].map(async () => (await app.upload(access_token, picture)).status);
    expect((await Promise.all(statuses)).toSorted()).toEqual([200, 201, 429]);
  });
});
