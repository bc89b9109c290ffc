import { expect, test } from 'vitest';
import { shareStatements } from '../src/adapters/postgres/share-statements.ts';

test('requests for one key that come while a statement for it is under way share the next one; others do not wait', async () => {
  const counts: [string, number][] = [];
  const finish: (() => void)[] = [];
  const take = shareStatements(async (key, count) => {
    counts.push([key, count]);
    await new Promise<void>((resolve) => finish.push(resolve));
    return Array.from({ length: count }, (_, index) => `${key} ${index}`);
  });
  const ada = [take('ada'), take('ada'), take('ada')];
  const bob = take('bob');
  expect(counts).toEqual([
    ['ada', 1],
    ['bob', 1],
  ]);
  finish[0]?.();
  finish[1]?.();
  expect([await ada[0], await bob]).toEqual(['ada 0', 'bob 0']);
  finish[2]?.();
  expect(await Promise.all(ada)).toEqual(['ada 0', 'ada 0', 'ada 1']);
  expect(counts.slice(2)).toEqual([['ada', 2]]);
});

test('a statement that fails fails those who wait for the next one too, and nobody after', async () => {
  let fails = true;
  const take = shareStatements(async (key, count) => {
    await Promise.resolve();
    if (fails) throw new Error('away');
    return Array.from({ length: count }, () => key);
  });
  const results = await Promise.allSettled([take('ada'), take('ada'), take('ada')]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  fails = false;
  expect(await take('ada')).toBe('ada');
});
