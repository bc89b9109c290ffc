import { paths } from '@imgup/shared';
import { describe, expect, test } from 'vitest';
import { openApp, PASSWORD, problemOf, refusal } from './test-app.ts';

const JSON_PATHS = [paths.register, paths.login, paths.refresh, paths.logoutRefresh];
const json = { 'Content-Type': 'application/json' };

describe.each(JSON_PATHS)('POST %s', (path) => {
  test.each([
    ['no body', undefined, json, '400 invalid_json'],
    ['an empty body', '', json, '400 invalid_json'],
    ['no JSON', '{"username": ', json, '400 invalid_json'],
    ['no UTF-8', new Uint8Array([0x22, 0xff, 0xfe, 0x22]), json, '400 invalid_json'],
    ['null', 'null', json, '400 invalid_request'],
    ['an array', '[]', json, '400 invalid_request'],
    ['a string', '"x"', json, '400 invalid_request'],
    ['an empty object', '{}', json, '400 invalid_request'],
    ['wrong types', '{"username": 1, "password": ["x"], "refresh_token": {}}', json, '400 invalid_request'],
    ['null fields', '{"username": null, "password": null, "refresh_token": null}', json, '400 invalid_request'],
    ['a form', 'username=x', { 'Content-Type': 'application/x-www-form-urlencoded' }, '415 content_type_unsupported'],
    ['1 MB', JSON.stringify({ username: 'x'.repeat(1_000_000) }), json, '413 body_too_large'],
    ['deep nesting', '['.repeat(8000), json, '400 invalid_json'],
  ])('with %s is refused', async (_, body, headers, expected) => {
    const app = await openApp();
    const answer = await app.request(path, { method: 'POST', headers, ...(body !== undefined && { body }) });
    expect(await refusal(answer)).toBe(expected);
  });
});

test('a field that is missing is named', async () => {
  const app = await openApp();
  const { detail } = await problemOf(await app.post(paths.register, { username: 'ada' }));
  expect(detail).toContain('password');
});

test('unknown fields are ignored', async () => {
  const app = await openApp();
  const body =
    '{"__proto__": {"role": "admin"}, "role": "admin", "username": "ada", "password": "a long enough secret"}';
  await app.register('owner');
  const answer = await app.request(paths.register, { method: 'POST', headers: json, body });
  expect(await answer.json()).toMatchObject({ user: { username: 'ada', role: 'user' } });
});

test('an unknown path is 404, a known one with a wrong method 405 with what is allowed', async () => {
  const app = await openApp();
  expect(await refusal(await app.request('/nothing'))).toBe('404 not_found');
  expect(await refusal(await app.request('/api/../x'))).toBe('404 not_found');
  const answer = await app.request(paths.register, { method: 'GET' });
  expect([await refusal(answer), answer.headers.get('allow')]).toEqual(['405 method_not_allowed', 'POST']);
  const other = await app.request(paths.health, { method: 'DELETE' });
  expect([await refusal(other), other.headers.get('allow')]).toEqual(['405 method_not_allowed', 'GET, HEAD']);
});

test('a failure inside is answered without a stack, and logged with one', async () => {
  const logged: unknown[] = [];
  const ignore = () => undefined;
  const logger = { debug: ignore, info: ignore, warn: ignore, error: (fields: object) => logged.push(fields) };
  let broken = false;
  const app = await openApp({
    logger,
    now: () => {
      if (broken) throw new Error('the clock fell off the wall');
      return 1_767_268_800_000;
    },
  });
  await app.register('ada');
  broken = true;
  const answer = await app.post(paths.login, { username: 'ada', password: PASSWORD });
  expect(answer.status).toBe(500);
  const text = await answer.text();
  expect(text).toContain('internal_error');
  expect(text).not.toMatch(/clock|at .*\.ts/);
  expect(logged).toHaveLength(1);
});

test('GET /api tells what a client can check before it sends, and /healthz that the server lives', async () => {
  const app = await openApp({ maxBytes: 1000, registration: 'closed' });
  expect(await (await app.request(paths.about)).json()).toEqual({
    name: 'imgup',
    version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
    registration: 'closed',
    upload: {
      max_bytes: 1000,
      max_pixels: 64_000_000,
      types: ['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif'],
      limit: { uploads: 5, window_seconds: 60 },
    },
  });
  expect(await (await app.request(paths.health)).json()).toEqual({ status: 'ok' });
});
