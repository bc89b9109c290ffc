import { describe, expect, test } from 'vitest';
import { REFUSALS_MAX, type UploadLimiter } from '../../src/ports/upload-limiter.ts';

interface LimiterOptions {
  limit: number;
  windowMs: number;
  now: () => number;
}

/** What every upload limiter promises. */
export function uploadLimiterContract(
  adapter: string,
  open: (options: LimiterOptions) => Promise<UploadLimiter>,
): void {
  describe(`the ${adapter} upload limiter`, () => {
    test('never admits more than the limit in any window, and admits exactly when it said it would', async () => {
      // Every millisecond of a long random run is checked against the definition itself.
      let at = 1_000_000;
      let seed = 42;
      const random = (below: number) => {
        seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
        return seed % below;
      };
      const limiter = await open({ limit: 5, windowMs: 60_000, now: () => at });
      const admitted: number[] = [];
      for (let request = 0; request < 3000; request += 1) {
        const { admitted: yes, nextSlotIn } = await limiter.take('ada');
        const inWindow = admitted.filter((time) => time > at - 60_000).length;
        expect(yes).toBe(inWindow < 5);
        if (yes) admitted.push(at);
        if (!yes && random(2) === 0) {
          at += nextSlotIn - 1;
          expect((await limiter.take('ada')).admitted).toBe(false);
          at += 1;
          expect((await limiter.peek('ada')).admitted).toBe(true);
        } else {
          at += random(20_000);
        }
      }
    });

    test('looks without taking', async () => {
      const limiter = await open({ limit: 2, windowMs: 1000, now: () => 0 });
      for (let time = 0; time < 5; time += 1) expect((await limiter.peek('ada')).remaining).toBe(2);
      expect(await limiter.take('ada')).toEqual({ admitted: true, remaining: 1, nextSlotIn: 1000, refused: 0 });
      expect(await limiter.peek('ada')).toEqual({ admitted: true, remaining: 1, nextSlotIn: 1000, refused: 0 });
    });

    test('holds for each user alone', async () => {
      const limiter = await open({ limit: 1, windowMs: 1000, now: () => 0 });
      expect((await limiter.take('ada')).admitted).toBe(true);
      expect((await limiter.take('__proto__')).admitted).toBe(true);
      expect((await limiter.take('ada')).admitted).toBe(false);
    });

    test("tells each user's refusals of the last window", async () => {
      let at = 1_000_000;
      const limiter = await open({ limit: 1, windowMs: 1000, now: () => at });
      await limiter.take('ada');
      at += 500;
      for (const refused of [1, 2, 3]) expect(await limiter.take('ada')).toMatchObject({ admitted: false, refused });
      expect((await limiter.peek('bob')).refused).toBe(0);
      at += 500;
      expect(await limiter.take('ada')).toMatchObject({ admitted: true, refused: 3 });
      at += 500;
      expect((await limiter.peek('ada')).refused).toBe(0);
      for (let request = 0; request < 200; request += 1) await limiter.take('ada');
      expect((await limiter.peek('ada')).refused).toBe(REFUSALS_MAX);
    });

    test('never locks a user out for longer than a window when the clock goes back', async () => {
      let at = 10_000_000;
      const limiter = await open({ limit: 1, windowMs: 1000, now: () => at });
      await limiter.take('ada');
      at -= 5_000_000;
      expect((await limiter.take('ada')).nextSlotIn).toBeLessThanOrEqual(1000);
    });
  });
}
