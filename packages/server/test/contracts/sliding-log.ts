import { describe, expect, test } from 'vitest';
import type { OpenSlidingLog } from '../../src/ports/sliding-log.ts';

/** What every sliding log promises. */
export function slidingLogContract(adapter: string, open: (now: () => number) => Promise<OpenSlidingLog>): void {
  describe(`the ${adapter} sliding log`, () => {
    test('admits exactly as many as the limit of those who ask at once, and again exactly when it said', async () => {
      const clock = { now: 1_000_000 };
      const log = (await open(() => clock.now))('attempts', { limit: 3, windowMs: 1000 });
      const states = await Promise.all(Array.from({ length: 40 }, () => log.take('ada')));
      expect(states.filter(({ admitted }) => admitted)).toHaveLength(3);
      expect(await log.peek('ada')).toMatchObject({ admitted: false, remaining: 0, nextSlotIn: 1000 });
      clock.now += 999;
      expect(await log.take('ada')).toMatchObject({ admitted: false, nextSlotIn: 1 });
      clock.now += 1;
      expect(await log.take('ada')).toMatchObject({ admitted: true, remaining: 2 });
    });

    test('shows in a look what was asked for before it', async () => {
      const log = (await open(() => 5))('attempts', { limit: 3, windowMs: 1000 });
      const takes = Array.from({ length: 20 }, () => log.take('ada'));
      expect(await log.peek('ada')).toMatchObject({ admitted: false, remaining: 0 });
      await Promise.all(takes);
    });

    test('takes any text for a key', async () => {
      const log = (await open(() => 5))('attempts', { limit: 1, windowMs: 1000 });
      for (const key of ['', '\0', '127.0.0.1 \0ada', '\uD800ada']) expect((await log.take(key)).admitted).toBe(true);
    });

    test('looks without taking', async () => {
      const log = (await open(() => 5))('attempts', { limit: 1, windowMs: 1000 });
      for (let time = 0; time < 3; time += 1) {
        expect(await log.peek('ada')).toMatchObject({ admitted: true, remaining: 1, nextSlotIn: 0 });
      }
    });

    test('holds for each key of each name alone', async () => {
      const openLog = await open(() => 5);
      const [one, other] = ['one', 'other'].map((name) => openLog(name, { limit: 1, windowMs: 1000 }));
      expect((await one?.take('ada'))?.admitted).toBe(true);
      expect((await one?.take('__proto__'))?.admitted).toBe(true);
      expect((await other?.take('ada'))?.admitted).toBe(true);
      expect((await one?.take('ada'))?.admitted).toBe(false);
    });
  });
}
