import pg from 'pg';
import { expect, test } from 'vitest';
import { explainFailure, isAway } from '../src/adapters/postgres/explain-failure.ts';

const failed = (code: string) => Object.assign(new pg.DatabaseError('failed', 0, 'error'), { code });

test.each([
  ['its password is being changed', '28P01', false],
  ['it lets nobody in', '28000', false],
  ['it was renamed', '3D000', false],
  ['rights were taken away', '42501', false],
  ['it is read-only', '25006', false],
  ['a transaction was ended for its age', '25P03', false],
  ['a lock was waited for too long', '55P03', false],
  ['it has no room', '53100', true],
  ['it has too many connections', '53300', true],
  ['it is being stopped', '57P01', true],
])('of a database clients are told to try again where %s', (_why, code, away) => {
  const failure = failed(code);
  expect(explainFailure(failure)).toMatchObject({ code: 'storage_unavailable', headers: { 'Retry-After': '5' } });
  // What a start waits for.
  expect(isAway(failure)).toBe(away);
});

test('a statement that a database does not understand is a bug', () => {
  const failure = failed('42601');
  expect(explainFailure(failure)).toBe(failure);
});
