import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openApp } from './test-app.ts';

async function warningsWith(users: number): Promise<object[]> {
  const app = await openApp();
  await app.register('ada');
  await app.close();
  const path = join(app.data, 'db.json');
  const db = JSON.parse(await readFile(path, 'utf8')) as { users: Record<string, { id: string; username: string }> };
  const [ada] = Object.values(db.users);
  if (ada === undefined) throw new Error('ada was not stored');
  for (let index = 1; index < users; index += 1) {
    const id = `${ada.id}${index}`;
    db.users[id] = { ...ada, id, username: `user-${index}` };
  }
  await writeFile(path, JSON.stringify(db));
  const warnings: object[] = [];
  const ignore = () => undefined;
  const logger = { debug: ignore, info: ignore, error: ignore, warn: (fields: object) => void warnings.push(fields) };
  await openApp({ data: app.data, logger });
  return warnings;
}

test('a server that has nearly as many users as db.json is good for says so when it starts', async () => {
  expect(await warningsWith(10_000)).toEqual([{ users: 10_000 }]);
});

test('and says nothing where there are fewer', async () => {
  expect(await warningsWith(9_999)).toEqual([]);
});
