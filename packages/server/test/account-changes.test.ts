import { randomBytes } from 'node:crypto';
import type { SessionsResponse, UsersResponse } from '@imgup/shared';
import { join } from 'node:path';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { rotateSecretFile } from '@imgup/server';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openLowdbAccountStore } from '../src/adapters/lowdb/account-store.ts';
import { createAccounts } from '../src/services/accounts.ts';
import { createKeyRing } from '../src/services/key-ring.ts';
import { createPasswords, type Passwords } from '../src/services/passwords.ts';
import { createSessions } from '../src/services/sessions.ts';
import { newSession, newUser } from './contracts/account-store.ts';
import { makePicture } from './pictures.ts';
import { bearer, filesOf, imageOf, openApp, PASSWORD, refusal, temporaryFolder, type TestApp } from './test-app.ts';
import { eventually } from './eventually.ts';

const me = (app: TestApp, token: string) => app.request('/api/me', { headers: bearer(token) });
const login = async (app: TestApp, username: string, password = PASSWORD, device = 'phone') =>
  (await (await app.post('/api/login', { username, password, device })).json()) as {
    access_token: string;
    refresh_token: string;
  };
const remove = (app: TestApp, path: string, token: string) =>
  app.request(path, { method: 'DELETE', headers: bearer(token) });
const sessionsOf = async (app: TestApp, token: string) => {
  const answer = await app.request('/api/sessions', { headers: bearer(token) });
  return ((await answer.json()) as SessionsResponse).sessions;
};

describe('sessions', () => {
  test('are listed from the latest to the first, this one marked', async () => {
    const app = await openApp();
    const first = await app.register('ada');
    app.clock.now += 1000;
    await login(app, 'ada');
    expect(await sessionsOf(app, first.access_token)).toMatchObject([
      { device: 'phone', current: false, created_at: '2026-01-01T12:00:01.000Z' },
      { device: null, current: true, last_used_at: '2026-01-01T12:00:01.000Z' },
    ]);
    app.clock.now += 31 * 24 * 60 * 60 * 1000;
    const again = await login(app, 'ada');
    expect(await sessionsOf(app, again.access_token)).toHaveLength(1);
  });

  test('end one at a time, at once and for good', async () => {
    const app = await openApp();
    const laptop = await app.register('ada');
    const phone = await login(app, 'ada');
    const other = (await sessionsOf(app, laptop.access_token)).find((session) => !session.current);
    expect((await remove(app, `/api/sessions/${other?.id}`, laptop.access_token)).status).toBe(204);
    expect(await refusal(await me(app, phone.access_token))).toBe('401 token_revoked');
    expect(await refusal(await app.post('/api/token/refresh', { refresh_token: phone.refresh_token }))).toBe(
      '400 invalid_grant',
    );
    expect(await refusal(await remove(app, `/api/sessions/${other?.id}`, laptop.access_token))).toBe('404 not_found');
    await app.close();
    const again = await openApp({ data: app.data });
    expect(await refusal(await me(again, phone.access_token))).toBe('401 token_revoked');
    expect((await me(again, laptop.access_token)).status).toBe(200);
  });

  test('are a hundred at most: one more log-in ends the one that was not used for longest', async () => {
    const app = await openApp();
    const first = await app.register('ada');
    app.clock.now += 1000;
    const second = await login(app, 'ada');
    for (let count = 2; count < 100; count += 1) await login(app, 'ada');
    app.clock.now += 1000;
    expect(await sessionsOf(app, first.access_token)).toHaveLength(100);
    const last = await login(app, 'ada');
    expect(await sessionsOf(app, last.access_token)).toHaveLength(100);
    expect((await me(app, first.access_token)).status).toBe(200);
    expect(await refusal(await me(app, second.access_token))).toBe('401 token_revoked');
  });

  test('of another user are not shown, and cannot be ended', async () => {
    const app = await openApp();
    const ada = await app.register('ada');
    const eve = await app.register('eve');
    const [hers] = await sessionsOf(app, ada.access_token);
    expect(await sessionsOf(app, eve.access_token)).toHaveLength(1);
    expect(await refusal(await remove(app, `/api/sessions/${hers?.id}`, eve.access_token))).toBe('404 not_found');
    expect((await me(app, ada.access_token)).status).toBe(200);
  });

  test('end all at once, or all but this one', async () => {
    const app = await openApp();
    const [first, second] = [await app.register('ada'), await login(app, 'ada')];
    const bob = await app.register('bob');
    expect((await remove(app, '/api/sessions?keep=current', first.access_token)).status).toBe(204);
    expect((await me(app, first.access_token)).status).toBe(200);
    expect(await refusal(await me(app, second.access_token))).toBe('401 token_revoked');
    expect((await remove(app, '/api/sessions', first.access_token)).status).toBe(204);
    expect(await refusal(await me(app, first.access_token))).toBe('401 token_revoked');
    expect((await me(app, bob.access_token)).status).toBe(200);
  });
});

describe('a changed password', () => {
  const change = (app: TestApp, token: string, current: string, next: string) =>
    app.post('/api/password', { current, new: next }, token);

  test('ends every other session, and the old one logs nobody in', async () => {
    const app = await openApp();
    const [here, there] = [await app.register('ada'), await login(app, 'ada')];
    expect((await change(app, here.access_token, PASSWORD, 'a better long secret')).status).toBe(204);
    expect((await me(app, here.access_token)).status).toBe(200);
    expect(await refusal(await me(app, there.access_token))).toBe('401 token_revoked');
    await app.close();
    const again = await openApp({ data: app.data });
    expect(await refusal(await again.post('/api/login', { username: 'ada', password: PASSWORD }))).toBe(
      '401 wrong_credentials',
    );
    expect((await again.post('/api/login', { username: 'ada', password: 'a better long secret' })).status).toBe(200);
    expect(await refusal(await me(again, there.access_token))).toBe('401 token_revoked');
  });

  test('logs nobody in who gave the old one and was still being compared', async () => {
    const data = await temporaryFolder();
    const store = await openLowdbAccountStore(join(data, 'db.json'));
    const passwords = createPasswords({ cost: 4 });
    onTestFinished(() => store.close());
    onTestFinished(() => passwords.close());
    const sessions = createSessions({ store, keyRing: await createKeyRing([randomBytes(32)]), accessTtl: 600 });
    const images = { removeAll: () => Promise.resolve() };
    const parts = { store, images, sessions, registration: 'open' } as const;
    const device = null;
    await createAccounts({ ...parts, passwords }).register({ username: 'ada', password: PASSWORD, device });
    const ada = await store.findUserByName('ada');
    const [here] = (await store.listSessions(ada?.id ?? '')).sessions;
    const next = await passwords.hash('a better long secret');
    const slow: Passwords = {
      ...passwords,
      async verify(password, hash) {
        const matches = await passwords.verify(password, hash);
        expect(here && (await store.setPassword(here, hash ?? '', next))).toBe(true);
        return matches;
      },
    };
    const login = createAccounts({ ...parts, passwords: slow }).login({ username: 'ada', password: PASSWORD, device });
    await expect(login).rejects.toMatchObject({ code: 'wrong_credentials' });
    expect((await store.listSessions(ada?.id ?? '')).sessions).toEqual([here]);
  });

  test.each([
    ['a wrong present one', 'not the secret', 'a better long secret', '403 wrong_password'],
    ['a short new one', PASSWORD, 'short', '422 password_too_short'],
    ['a common new one', PASSWORD, 'password123', '422 password_common'],
    ['its own name as the new one', PASSWORD, 'ADA-LOVELACE', '422 password_common'],
  ])('with %s is refused and changes nothing', async (_, current, next, expected) => {
    const app = await openApp();
    const { access_token } = await app.register('ada-lovelace');
    const other = await login(app, 'ada-lovelace');
    expect(await refusal(await change(app, access_token, current, next))).toBe(expected);
    expect((await me(app, other.access_token)).status).toBe(200);
    expect((await app.post('/api/login', { username: 'ada-lovelace', password: PASSWORD })).status).toBe(200);
  });
});

describe('a removed user', () => {
  test('is logged out at once, their pictures gone, their name free for somebody else', async () => {
    const app = await openApp();
    const admin = await app.register('admin');
    const eve = await app.register('Eve');
    const image = await imageOf(await app.upload(eve.access_token, await makePicture()));
    expect((await remove(app, '/api/users/eve', admin.access_token)).status).toBe(204);
    expect(await refusal(await me(app, eve.access_token))).toBe('401 token_revoked');
    expect(await refusal(await app.request(new URL(image.url).pathname))).toBe('404 not_found');
    expect(await filesOf(app.data)).toEqual([]);
    const next = await app.register('eve');
    expect(next.user.id).not.toBe(eve.user.id);
    for (const token of [eve.access_token]) expect(await refusal(await me(app, token))).toBe('401 token_revoked');
    expect(await refusal(await app.post('/api/token/refresh', { refresh_token: eve.refresh_token }))).toBe(
      '400 invalid_grant',
    );
    await app.close();
    const again = await openApp({ data: app.data });
    expect(await refusal(await me(again, eve.access_token))).toBe('401 token_revoked');
    expect((await me(again, next.access_token)).status).toBe(200);
  });

  test('whose files resist is left noted, and does not keep the others from being removed', async () => {
    const path = join(await temporaryFolder(), 'db.json');
    const before = await openLowdbAccountStore(path);
    for (const name of ['ada', 'bob', 'cyd']) {
      await before.createUser(newUser(name), newSession(name, `id-of-${name}`));
      await before.deleteUser(`id-of-${name}`, true);
    }
    await before.close();
    const store = await openLowdbAccountStore(path);
    onTestFinished(() => store.close());
    const removeAll = (id: string) => (id === 'id-of-bob' ? Promise.reject(new Error('EPERM')) : sleep(50));
    const passwords = createPasswords({ cost: 4 });
    onTestFinished(() => passwords.close());
    const sessions = createSessions({ store, keyRing: await createKeyRing([randomBytes(32)]), accessTtl: 600 });
    const images = { removeAll };
    const accounts = createAccounts({ store, images, passwords, sessions, registration: 'open' });
    await expect(accounts.sweepRemovals()).rejects.toThrow('EPERM');
    expect(await store.listRemovals()).toEqual([{ userId: 'id-of-bob', settled: true }]);
  });

  test('leaves their pictures where that is asked for, and whoever takes the name does not own them', async () => {
    const app = await openApp();
    const admin = await app.register('admin');
    const eve = await app.register('eve');
    const picture = await makePicture();
    const image = await imageOf(await app.upload(eve.access_token, picture));
    await remove(app, '/api/users/eve?keep_images=true', admin.access_token);
    expect((await app.request(new URL(image.url).pathname)).status).toBe(200);
    const next = await app.register('eve');
    expect((await imageOf(await app.upload(next.access_token, picture))).url).not.toBe(image.url);
    await app.close();
    const again = await openApp({ data: app.data });
    expect((await again.request(new URL(image.url).pathname)).status).toBe(200);
  });

  test('keeps no picture that was still arriving', async () => {
    const app = await openApp();
    const admin = await app.register('admin');
    const eve = await app.register('eve');
    const picture = await makePicture({ width: 200, height: 200 });
    let finish = () => undefined as void;
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(picture.subarray(0, 100));
        finish = () => {
          controller.enqueue(picture.subarray(100));
          controller.close();
        };
      },
    });
    const upload = app.upload(eve.access_token, body);
    await eventually(async () => expect(await filesOf(app.data)).toHaveLength(1));
    await remove(app, '/api/users/eve', admin.access_token);
    finish();
    expect(await refusal(await upload)).toBe('401 token_revoked');
    expect(await filesOf(app.data)).toEqual([]);
  });

  test('is asked for by administrators only, and the last of those stays', async () => {
    const app = await openApp();
    const [admin, bob] = [await app.register('admin'), await app.register('bob')];
    expect(await refusal(await remove(app, '/api/users/admin', bob.access_token))).toBe('403 admin_only');
    expect(await refusal(await remove(app, '/api/users/admin', admin.access_token))).toBe('409 last_admin');
    expect(await refusal(await remove(app, '/api/users/nobody', admin.access_token))).toBe('404 not_found');
    const users = await app.request('/api/users', { headers: bearer(admin.access_token) });
    expect(((await users.json()) as UsersResponse).users).toHaveLength(2);
  });
});

describe('a rotated secret', () => {
  test('makes new tokens with new keys, while the old ones live out their time', async () => {
    const before = await openApp();
    const old = await before.register('ada');
    const now = before.clock.now;
    await before.close();
    const path = join(before.data, 'secret');
    const text = await readFile(path, 'utf8');
    await rotateSecretFile(path, { now, forgetOld: false });
    expect((await readFile(path, 'utf8')).split('\n')[1]).toContain(text.trim());

    const app = await openApp({ data: before.data });
    expect((await me(app, old.access_token)).status).toBe(200);
    const answer = await app.post('/api/token/refresh', { refresh_token: old.refresh_token });
    const next = (await answer.json()) as { access_token: string; refresh_token: string };
    expect((await me(app, next.access_token)).status).toBe(200);
    await app.close();

    // With the old secret gone, what it has signed is refused and what the new one has signed is not.
    await rotateSecretFile(path, { now: now + 91 * 24 * 60 * 60 * 1000, forgetOld: false });
    const later = await openApp({ data: before.data });
    expect(await refusal(await me(later, old.access_token))).toBe('401 token_invalid');
    expect((await me(later, next.access_token)).status).toBe(200);
  });

  test('whose file is missing for a while is not replaced by a new one, and ends no session', async () => {
    const app = await openApp();
    const { access_token } = await app.register('ada');
    const path = join(app.data, 'secret');
    const text = await readFile(path, 'utf8');
    await rm(path);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(await readFile(path, 'utf8').catch(() => null)).toBeNull();
    await writeFile(path, text);
    expect((await me(app, access_token)).status).toBe(200);
  });

  test('ten times at once keeps every secret that there was for an instant', async () => {
    const app = await openApp();
    await app.close();
    const path = join(app.data, 'secret');
    const first = (await readFile(path, 'utf8')).trim();
    await Promise.all(Array.from({ length: 10 }, () => rotateSecretFile(path, { now: 0, forgetOld: false })));
    const lines = (await readFile(path, 'utf8')).trim().split('\n');
    expect(lines).toHaveLength(11);
    expect(lines.at(-1)).toContain(first);
  });

  test.each([
    ['whose second secret has no time', (current: string) => `${current}\n${'a'.repeat(64)}\n`],
    ['whose current secret has a time', (current: string) => `${current} 2026-01-01T00:00:00.000Z\n`],
  ])('file %s is damaged, and left as it is', async (_what, edit) => {
    const { data, close } = await openApp();
    await close();
    const path = join(data, 'secret');
    const text = edit((await readFile(path, 'utf8')).trim());
    await writeFile(path, text);
    await expect(openApp({ data })).rejects.toMatchObject({ code: 'data_unreadable' });
    expect(await readFile(path, 'utf8')).toBe(text);
  });

  test('is taken by a running server', async () => {
    const app = await openApp();
    const { access_token } = await app.register('ada');
    await rotateSecretFile(join(app.data, 'secret'), { now: app.clock.now, forgetOld: true });
    await eventually(async () => expect(await refusal(await me(app, access_token))).toBe('401 token_invalid'));
  });
});
