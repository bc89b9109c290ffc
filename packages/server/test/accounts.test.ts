import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { LoginResponse, MeResponse, UsersResponse } from '@imgup/shared';
import { Tinypool } from 'tinypool';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { bearer, openApp, PASSWORD, problemOf, refusal } from './test-app.ts';

describe('registration', () => {
  test('answers 201 with the user and tokens that nobody may cache', async () => {
    const app = await openApp();
    const answer = await app.post('/api/register', {
      username: 'Ada',
      password: PASSWORD,
      device: 'laptop',
      more: 1,
    });
    expect(answer.status).toBe(201);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const body = (await answer.json()) as LoginResponse;
    expect(body).toMatchObject({
      user: { username: 'Ada', role: 'admin', created_at: '2026-01-01T12:00:00.000Z' },
      token_type: 'Bearer',
      expires_in: 600,
      refresh_expires_in: 30 * 24 * 60 * 60,
    });
    const me = await app.request('/api/me', { headers: bearer(body.access_token) });
    expect(((await me.json()) as MeResponse).session.device).toBe('laptop');
  });

  test('makes the first user the administrator, and nobody after', async () => {
    const app = await openApp();
    const first = await app.register('first');
    const second = await app.register('second');
    expect([first.user.role, second.user.role]).toEqual(['admin', 'user']);
  });

  test('lets exactly one of twenty registrations of the same name at once win, whatever its case', async () => {
    const app = await openApp();
    const names = Array.from({ length: 20 }, (_, index) => (index % 2 ? 'twin' : 'TWIN'));
    const answers = await Promise.all(
      names.map((username) => app.post('/api/register', { username, password: PASSWORD })),
    );
    const statuses = answers.map((answer) => answer.status).toSorted();
    expect(statuses).toEqual([201, ...Array.from({ length: 19 }, () => 409)]);
  });

  test.each([
    ['ab', '422 username_invalid'],
    ['a'.repeat(33), '422 username_invalid'],
    ['with space', '422 username_invalid'],
    ['émile', '422 username_invalid'],
    ['a/../b', '422 username_invalid'],
    ['name\n', '422 username_invalid'],
    ['', '422 username_invalid'],
  ])('refuses the name %j', async (username, expected) => {
    const app = await openApp();
    expect(await refusal(await app.post('/api/register', { username, password: PASSWORD }))).toBe(expected);
  });

  test.each(['abc', 'a'.repeat(32), 'A_b-c.9', '__proto__', 'constructor', '...'])(
    'takes the name %j and logs it in again',
    async (username) => {
      const app = await openApp();
      await app.register('somebody');
      await app.register(username);
      expect(await refusal(await app.post('/api/register', { username, password: PASSWORD }))).toBe(
        '409 username_taken',
      );
      const answer = await app.post('/api/login', {
        username: username.toUpperCase(),
        password: PASSWORD,
      });
      expect(answer.status).toBe(200);
    },
  );

  test.each([
    ['sevenby', '422 password_too_short'],
    ['a'.repeat(73), '422 password_too_long'],
    ['é'.repeat(36) + 'a', '422 password_too_long'],
    ['€€', '422 password_too_short'],
    ['password123', '422 password_common'],
    ['PassWord123', '422 password_common'],
    ['ada-lovelace', '422 password_common'],
    ['with\0a NUL in it', '422 password_invalid'],
    ['x'.repeat(10_000), '422 password_too_long'],
    ['x'.repeat(1_000_000), '413 body_too_large'],
  ])('refuses the password %.12j', async (password, expected) => {
    const app = await openApp();
    expect(await refusal(await app.post('/api/register', { username: 'Ada-Lovelace', password }))).toBe(expected);
  });

  test.each(['é'.repeat(36), 'x7'.repeat(36), '€€€', 'eight ch'])(
    'takes the password %j, and no other that begins with it',
    async (password) => {
      const app = await openApp();
      await app.register('ada', password);
      expect((await app.post('/api/login', { username: 'ada', password })).status).toBe(200);
      const longer = await app.post('/api/login', { username: 'ada', password: `${password}x` });
      expect(await refusal(longer)).toBe('401 wrong_credentials');
    },
  );

  test('treats composed and decomposed accents as the same password', async () => {
    const app = await openApp();
    await app.register('ada', 'caf\u00e9 au lait');
    const answer = await app.post('/api/login', {
      username: 'ada',
      password: 'cafe\u0301 au lait',
    });
    expect(answer.status).toBe(200);
  });

  test('of two first users at once where it is closed admits one', async () => {
    const app = await openApp({ registration: 'closed' });
    const answers = await Promise.all(
      ['ada', 'bob'].map((username) => app.post('/api/register', { username, password: PASSWORD })),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 403]);
  });

  test('is refused where it is closed, except for the first user', async () => {
    const app = await openApp({ registration: 'closed' });
    await app.register('owner');
    const answer = await app.post('/api/register', { username: 'guest', password: PASSWORD });
    expect(await refusal(answer)).toBe('403 registration_closed');
  });
});

describe('log-in', () => {
  test('answers an unknown user and a wrong password alike', async () => {
    const app = await openApp();
    await app.register('ada');
    const wrong = await app.post('/api/login', { username: 'ada', password: 'not the secret' });
    const unknown = await app.post('/api/login', { username: 'eve', password: 'not the secret' });
    expect(wrong.status).toBe(401);
    // But for the ids of the requests.
    const told = async (answer: Response) => ({
      ...(await problemOf(answer)),
      instance: undefined,
      headers: [...answer.headers].filter(([name]) => name !== 'x-request-id'),
    });
    expect(await told(wrong)).toEqual(await told(unknown));
  });

  test('compares an unknown user with a hash as costly as any, made at the start, so that it takes as long', async () => {
    const work = vi.spyOn(Tinypool.prototype, 'run');
    onTestFinished(() => work.mockRestore());
    const app = await openApp({ passwordCost: 5 });
    // Made with the first unknown user, it would take twice as long for that one.
    expect(work.mock.calls).toEqual([[expect.objectContaining({ kind: 'hash', cost: 5 }), expect.anything()]]);
    const decoy: unknown = await work.mock.results[0]?.value;
    expect(decoy).toMatch(/^\$2b\$05\$.{53}$/);
    for (let count = 2; count < 4; count += 1) {
      await app.post('/api/login', { username: 'eve', password: 'not the secret' });
      const compared = { kind: 'verify', password: 'not the secret', hash: decoy };
      expect(work.mock.calls).toHaveLength(count);
      expect(work.mock.lastCall?.[0]).toEqual(compared);
    }
  });
});

describe('what is stored', () => {
  test('holds no password and no token, and only its owner may read it', async () => {
    const app = await openApp();
    const { access_token, refresh_token } = await app.register('ada');
    const path = join(app.data, 'db.json');
    const text = await readFile(path, 'utf8');
    expect(text).toContain('$2b$04$');
    for (const secret of [PASSWORD, access_token, refresh_token, refresh_token.slice(-43)]) {
      expect(text).not.toContain(secret);
    }
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(app.data, 'secret'))).mode & 0o777).toBe(0o600);
  });

  test('survives a restart: users, roles, sessions and revocations', async () => {
    const before = await openApp();
    const ada = await before.register('ada');
    const bob = await before.register('bob');
    await before.post('/api/logout/access', {}, bob.access_token);
    await before.close();
    const after = await openApp({ data: before.data });
    const me = (token: string) => after.request('/api/me', { headers: bearer(token) });
    expect((await me(ada.access_token)).status).toBe(200);
    expect(await refusal(await me(bob.access_token))).toBe('401 token_revoked');
    expect((await after.post('/api/token/refresh', { refresh_token: bob.refresh_token })).status).toBe(200);
    expect(await refusal(await after.post('/api/register', { username: 'ADA', password: PASSWORD }))).toBe(
      '409 username_taken',
    );
  });
});

describe('users', () => {
  test('are listed for an administrator, with how passwords are hashed and never the hash', async () => {
    const app = await openApp();
    const admin = await app.register('ada');
    app.clock.now += 1000;
    await app.register('bob');
    const answer = await app.request('/api/users', { headers: bearer(admin.access_token) });
    const text = await answer.text();
    expect(text).not.toContain('$2b$');
    const { users } = JSON.parse(text) as UsersResponse;
    expect(users.map(({ username, role, password }) => [username, role, password])).toEqual([
      ['ada', 'admin', 'bcrypt, cost 4'],
      ['bob', 'user', 'bcrypt, cost 4'],
    ]);
  });

  test('are shown to nobody else', async () => {
    const app = await openApp();
    await app.register('ada');
    const bob = await app.register('bob');
    expect(await refusal(await app.request('/api/users', { headers: bearer(bob.access_token) }))).toBe(
      '403 admin_only',
    );
    expect(await refusal(await app.request('/api/users'))).toBe('401 token_missing');
  });
});
