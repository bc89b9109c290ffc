import { expect, test } from 'vitest';
import { describePlace, readConnectionSettings } from '../src/adapters/postgres/connection-settings.ts';

test.each(['a@b/secret', 'a@b/secret#c', 'a#secret', 'a@secret#b', 'secret/a', 'secret?a', 'a@b/s@ecret'])(
  'a password that is not written for a URL (%s) is refused without a part of it in the message',
  (password) => {
    const read = () => readConnectionSettings(`postgres://imgup:${password}@db:5432/imgup`);
    expect(read).toThrow('special characters of a password are written as %XX');
    expect(read).not.toThrow('secret');
  },
);

test.each([
  ['postgres://imgup:a@b@db:5433/imgup', 'db:5433, database imgup'],
  ['postgres://imgup:a%2Fb%40c%23d@db/imgup?sslmode=disable', 'db:5432, database imgup'],
  ['postgres:///imgup?host=/run/postgresql&user=a@b', '/run/postgresql:5432, database imgup'],
])('%s is told of as %s', (url, place) => {
  expect(describePlace(readConnectionSettings(url))).toBe(place);
});
