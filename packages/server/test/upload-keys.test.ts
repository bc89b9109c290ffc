import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  KEYS_MAX,
  KEY_PATTERN,
  paths,
  type CreateKeyResponse,
  type KeysResponse,
  type LoginResponse,
} from '@imgup/shared';
import { backupData, checkData, restoreData } from '@imgup/server';
import { describe, expect, test } from 'vitest';
import { makePicture } from './pictures.ts';
import { bearer, imageOf, openApp, PASSWORD, refusal, temporaryFolder, type TestApp } from './test-app.ts';

const HOUR = 60 * 60 * 1000;

const newKey = async (app: TestApp, token: string, name = 'a tool') =>
  (await (await app.post('/api/keys', { name }, token)).json()) as CreateKeyResponse;
const keysOf = async (app: TestApp, token: string) =>
  ((await (await app.request('/api/keys', { headers: bearer(token) })).json()) as KeysResponse).keys;
const remove = (app: TestApp, path: string, token: string) =>
  app.request(path, { method: 'DELETE', headers: bearer(token) });
const stored = (app: TestApp) => readFile(join(app.data, 'db.json'), 'utf8');
/** Whether a key is good, which costs no slot of the limit. */
const find = (app: TestApp, key: string, sha256 = '0'.repeat(64)) =>
  app.request(`/api/images/by-digest/${sha256}`, { headers: bearer(key) });

async function openWithKey() {
  const app = await openApp();
  const ada = await app.register('ada');
  const { id, key } = await newKey(app, ada.access_token);
  return { app, token: ada.access_token, id, key };
}

describe('an upload key', () => {
  test('is told once, and then by its name and times alone', async () => {
    const app = await openApp();
    const { access_token } = await app.register('ada');
    const answer = await app.post('/api/keys', { name: ' a\u0000 tool\u202e ' }, access_token);
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([201, 'no-store']);
    const made = (await answer.json()) as CreateKeyResponse;
    const known = { id: made.id, name: 'a tool', created_at: '2026-01-01T12:00:00.000Z' };
    expect(made).toEqual({ ...known, key: expect.stringMatching(KEY_PATTERN) as string });
    expect(made.key).toContain(made.id);
    app.clock.now += 1000;
    const second = await newKey(app, access_token, 'another');
    expect(await keysOf(app, access_token)).toEqual([
      { id: second.id, name: 'another', created_at: '2026-01-01T12:00:01.000Z', last_used_at: null },
      { ...known, last_used_at: null },
    ]);
  });

  test('is in db.json as its hash, and nowhere in what it was made of', async () => {
    const { app, id, key } = await openWithKey();
    const text = await stored(app);
    expect(text).toContain(id);
    expect(text).not.toContain(key);
    expect(text).not.toContain(key.slice(-43));
    expect(text).not.toContain(Buffer.from(key.slice(-43), 'base64url').toString('hex'));
  });

  test('uploads, and finds what is there, as its user', async () => {
    const { app, token, key } = await openWithKey();
    const picture = await makePicture();
    const image = await imageOf(await app.upload(key, picture));
    expect((await imageOf(await app.upload(token, picture))).id).toBe(image.id);
    expect((await imageOf(await find(app, key, image.source_sha256))).id).toBe(image.id);
    const head = { method: 'HEAD', headers: bearer(key) };
    expect((await app.request(`/api/images/by-digest/${image.source_sha256}`, head)).status).toBe(200);
    expect((await app.request(new URL(image.url).pathname)).status).toBe(200);
  });

  test('shares the upload limit of its user', async () => {
    const app = await openApp({ uploadLimit: { uploads: 3, windowMs: 60_000 } });
    const { access_token } = await app.register('ada');
    const keys = [await newKey(app, access_token), await newKey(app, access_token)];
    const pictures = await Promise.all([1, 2, 3, 4].map((width) => makePicture({ width })));
    const tokens = [access_token, keys[0]?.key ?? '', keys[1]?.key ?? '', keys[0]?.key ?? ''];
    const answers = await Promise.all(pictures.map((picture, index) => app.upload(tokens[index] ?? '', picture)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 201, 201, 429]);
    const eve = await app.register('eve');
    expect((await app.upload(eve.access_token, await makePicture())).status).toBe(201);
  });

  test('goes on when sessions end and the password is changed, and after a restart', async () => {
    const { app, token, key } = await openWithKey();
    await app.post('/api/password', { current: PASSWORD, new: 'a better long secret' }, token);
    await remove(app, '/api/sessions', token);
    expect(await refusal(await find(app, key))).toBe('404 not_found');
    app.clock.now += 400 * 24 * HOUR;
    await app.close();
    const again = await openApp({ data: app.data });
    expect((await again.upload(key, await makePicture())).status).toBe(201);
  });

  test('is refused at once when it is revoked, and after a restart', async () => {
    const { app, token, id, key } = await openWithKey();
    const other = await newKey(app, token);
    expect((await remove(app, `/api/keys/${id}`, token)).status).toBe(204);
    expect(await refusal(await find(app, key))).toBe('401 token_invalid');
    expect(await refusal(await app.upload(key, await makePicture()))).toBe('401 token_invalid');
    expect(await refusal(await remove(app, `/api/keys/${id}`, token))).toBe('404 not_found');
    await app.close();
    const again = await openApp({ data: app.data });
    expect(await refusal(await find(again, key))).toBe('401 token_invalid');
    expect(await refusal(await find(again, other.key))).toBe('404 not_found');
  });

  test('ends with its user, and whoever takes the name has none of it', async () => {
    const app = await openApp();
    const [admin, eve] = [await app.register('admin'), await app.register('eve')];
    const { key } = await newKey(app, eve.access_token);
    await remove(app, '/api/users/eve', admin.access_token);
    expect(await refusal(await find(app, key))).toBe('401 token_invalid');
    const next = await app.register('eve');
    expect(await keysOf(app, next.access_token)).toEqual([]);
    expect(await refusal(await find(app, key))).toBe('401 token_invalid');
    expect(await stored(app)).toContain('"keys":{}');
  });

  test('is in a backup, and good after a restore', async () => {
    const { app, key } = await openWithKey();
    const folder = await temporaryFolder();
    await backupData(app.data, join(folder, 'backup.tar'));
    await restoreData(join(folder, 'backup.tar'), join(folder, 'data'));
    expect((await checkData(join(folder, 'data'))).findings).toEqual([]);
    const restored = await openApp({ data: join(folder, 'data') });
    expect((await restored.upload(key, await makePicture())).status).toBe(201);
  });

  test('of another user is not shown, and cannot be revoked', async () => {
    const { app, id, key } = await openWithKey();
    const eve = await app.register('eve');
    expect(await keysOf(app, eve.access_token)).toEqual([]);
    expect(await refusal(await remove(app, `/api/keys/${id}`, eve.access_token))).toBe('404 not_found');
    expect(await refusal(await find(app, key))).toBe('404 not_found');
  });

  test('has the time of its last use to the hour, and costs no write of the accounts within it', async () => {
    const { app, key } = await openWithKey();
    const login = async () => {
      const answer = await app.post('/api/login', { username: 'ada', password: PASSWORD });
      return ((await answer.json()) as LoginResponse).access_token;
    };
    const lastUsed = async () => (await keysOf(app, await login()))[0]?.last_used_at;
    const writtenAt = async () => (await stat(join(app.data, 'db.json'))).mtimeMs;
    await find(app, key);
    expect(await lastUsed()).toBe('2026-01-01T12:00:00.000Z');
    // Which is stored after all that was noted before.
    await login();
    const before = await writtenAt();
    app.clock.now += HOUR - 1;
    for (let count = 0; count < 20; count += 1) await find(app, key);
    await new Promise((resolve) => setImmediate(resolve));
    expect(await writtenAt()).toBe(before);
    expect(await lastUsed()).toBe('2026-01-01T12:00:00.000Z');
    app.clock.now += 1;
    await Promise.all([find(app, key), find(app, key)]);
    app.clock.now -= 2 * HOUR;
    await find(app, key);
    await app.close();
    expect(await stored(app)).toContain(`"lastUsedAt":${Date.parse('2026-01-01T13:00:00Z')}}`);
  });
});

describe('what is nearly an upload key is 401', () => {
  test.each<[string, (key: string) => string]>([
    ['the prefix alone', () => 'imgup_'],
    ['another id', (key) => key.replace(/_[0-9a-f]/, (start) => (start === '_0' ? '_1' : '_0'))],
    [
      'an id in capitals',
      (key) => `imgup_${key.slice(6, 22).toUpperCase()}${key.slice(22)}`.replace(/_\d{16}_/, '_A_'),
    ],
    ['another secret', (key) => key.slice(0, 23) + 'A'.repeat(43)],
    ['a secret cut short', (key) => key.slice(0, -1)],
    ['a secret with more', (key) => `${key}A`],
    ['another spelling of the same bytes', respelled],
    ['the stored hash', () => `imgup_${'ab'.repeat(32)}`],
    ['what is in every object', () => 'imgup_constructor'],
    ['a megabyte', () => `imgup_${'a'.repeat(1_000_000)}`],
  ])('%s', async (_what, change) => {
    const { app, key } = await openWithKey();
    const answer = await find(app, change(key));
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer realm="imgup", error="invalid_token"/);
    expect(await refusal(answer)).toBe('401 token_invalid');
    expect(await refusal(await app.request('/api/me', { headers: bearer(change(key)) }))).toBe('401 token_invalid');
  });

  /** The last character of 32 bytes in base64url carries two bits that mean nothing. */
  function respelled(key: string): string {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    return key.slice(0, -1) + alphabet.charAt(alphabet.indexOf(key.slice(-1)) ^ 1);
  }
});

/** Every path of the API, and the methods there that an upload key is good for, is refused by, or is not asked for. */
const MATRIX: Record<keyof typeof paths, Partial<Record<string, 'allowed' | 'refused' | 'public'>>> = {
  about: { GET: 'public' },
  register: { POST: 'public' },
  login: { POST: 'public' },
  refresh: { POST: 'public' },
  logoutAccess: { POST: 'refused' },
  logoutRefresh: { POST: 'public' },
  me: { GET: 'refused' },
  sessions: { GET: 'refused', DELETE: 'refused' },
  session: { DELETE: 'refused' },
  keys: { GET: 'refused', POST: 'refused' },
  key: { DELETE: 'refused' },
  password: { POST: 'refused' },
  users: { GET: 'refused' },
  user: { DELETE: 'refused' },
  images: { GET: 'refused', POST: 'allowed' },
  image: { GET: 'refused', DELETE: 'refused' },
  imageByDigest: { GET: 'allowed' },
  picture: { GET: 'public' },
  health: { GET: 'public' },
  ready: { GET: 'public' },
  // Here nobody reads them, whatever is sent.
  metrics: { GET: 'public' },
  openapi: { GET: 'public' },
};

describe('of all that the API offers, even to an administrator', () => {
  const isKnown = (name: string): name is keyof typeof paths => Object.hasOwn(paths, name);
  const all = Object.keys(paths)
    .filter(isKnown)
    .flatMap((name) => ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].map((method) => ({ name, method })));

  test('an upload key uploads and looks for digests, and nothing else', async () => {
    const { app, token, id, key } = await openWithKey();
    const image = await imageOf(await app.upload(key, await makePicture()));
    const parameters = { key: id, image: image.id, imageByDigest: image.source_sha256, user: 'ada' };
    for (const { name, method } of all) {
      const path = paths[name].replaceAll(/:\w+/g, Object.entries(parameters).find(([of]) => of === name)?.[1] ?? 'x');
      const init = { method, headers: bearer(key), ...(method !== 'GET' && { body: '{}' }) };
      const answer = await app.request(path, init);
      const verdict = MATRIX[name][method];
      const seen = { name, method, status: answer.status };
      if (verdict === 'refused') {
        expect({ ...seen, refusal: await refusal(answer) }).toEqual({ ...seen, refusal: '403 key_only_uploads' });
      } else if (verdict === undefined) {
        expect(seen).toEqual({ name, method, status: 405 });
      } else {
        expect([401, 403, 405]).not.toContain(seen.status);
      }
    }
    // It has changed nothing either.
    expect((await app.request('/api/me', { headers: bearer(token) })).status).toBe(200);
    expect(await keysOf(app, token)).toHaveLength(1);
    expect((await app.request(new URL(image.url).pathname)).status).toBe(200);
    expect((await app.request('/api/me', { method: 'HEAD', headers: bearer(key) })).status).toBe(403);
  });
});

describe('making a key', () => {
  test.each([
    ['an empty name', { name: '' }, '422 key_name_invalid'],
    ['a name of spaces and controls', { name: ' \u0000\n\u200e ' }, '422 key_name_invalid'],
    ['a name of 65 characters', { name: '\u{1f5bc}'.repeat(65) }, '422 key_name_invalid'],
    ['no name', {}, '400 invalid_request'],
    ['a name that is no text', { name: 1 }, '400 invalid_request'],
  ])('with %s is refused', async (_what, body, expected) => {
    const app = await openApp();
    const { access_token } = await app.register('ada');
    expect(await refusal(await app.post('/api/keys', body, access_token))).toBe(expected);
    expect(await keysOf(app, access_token)).toEqual([]);
  });

  test('with a name of 64 characters is not', async () => {
    const app = await openApp();
    const { access_token } = await app.register('ada');
    expect(await newKey(app, access_token, '\u{1f5bc}'.repeat(64))).toMatchObject({ name: '\u{1f5bc}'.repeat(64) });
  });

  test('fifty more at once never brings a user above the most, nor takes of another', async () => {
    const { app, token } = await openWithKey();
    const answers = await Promise.all(
      Array.from({ length: KEYS_MAX }, (_, index) => app.post('/api/keys', { name: `tool ${index}` }, token)),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(KEYS_MAX - 1);
    const [refused, ...others] = answers.filter(({ status }) => status !== 201);
    expect([refused && (await refusal(refused)), others]).toEqual(['409 too_many_keys', []]);
    expect(await keysOf(app, token)).toHaveLength(KEYS_MAX);
    const eve = await app.register('eve');
    expect((await app.post('/api/keys', { name: 'x' }, eve.access_token)).status).toBe(201);
    const [first] = await keysOf(app, token);
    await remove(app, `/api/keys/${first?.id}`, token);
    expect((await app.post('/api/keys', { name: 'x' }, token)).status).toBe(201);
  });

  test('is refused where the session ends while the request arrives, or a lost session would leave one behind', async () => {
    const app = await openApp();
    const { access_token } = await app.register('ada');
    let finish = () => undefined as void;
    const body = new ReadableStream({
      start(controller) {
        finish = () => {
          controller.enqueue(Buffer.from('{"name":"x"}'));
          controller.close();
        };
      },
    });
    const making = app.request('/api/keys', { method: 'POST', headers: bearer(access_token), body });
    // Its headers are read by the time that a later request is answered.
    expect((await remove(app, '/api/sessions', access_token)).status).toBe(204);
    finish();
    expect(await refusal(await making)).toBe('401 token_revoked');
    expect(await stored(app)).toContain('"keys":{}');
  });
});

test('Accept: text/plain makes the link all of the answer to an upload, and errors stay problems', async () => {
  const { app, key } = await openWithKey();
  const text = await app.upload(key, await makePicture(), { Accept: 'text/plain' });
  const link = text.headers.get('location') ?? '';
  expect([text.status, await text.text(), text.headers.get('content-type')]).toEqual([
    201,
    `${link}\n`,
    'text/plain; charset=UTF-8',
  ]);
  expect((await app.request(new URL(link).pathname)).status).toBe(200);
  expect(await refusal(await app.upload(key, 'no picture', { Accept: 'text/plain' }))).toBe(
    '415 image_type_unsupported',
  );
  for (const Accept of ['*/*', 'application/json', 'application/json, text/plain, */*', 'text/html, */*']) {
    expect((await imageOf(await app.upload(key, await makePicture(), { Accept }))).url).toBe(link);
    app.clock.now += 60_000;
  }
});
