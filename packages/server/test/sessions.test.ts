import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TokensResponse } from '@imgup/shared';
import { describe, expect, test } from 'vitest';
import { openSecretFile } from '../src/adapters/filesystem/secret-file.ts';
import { encodeAccessToken, readAccessToken, type AccessTokenContent } from '../src/services/access-token.ts';
import { createKeyRing } from '../src/services/key-ring.ts';
import { bearer, openApp, refusal, respell, type TestApp } from './test-app.ts';

const SECOND = 1000;
const HOUR = 60 * 60 * SECOND;
const DAY = 24 * HOUR;

const refresh = (app: TestApp, refresh_token: string) => app.post('/api/token/refresh', { refresh_token });
const tokensOf = async (answer: Response) => (await answer.json()) as TokensResponse;
const me = (app: TestApp, token: string) => app.request('/api/me', { headers: bearer(token) });

/** Makes a genuine access token of another one: what only the server's own key can do. */
async function resign(app: TestApp, token: string, changed: Partial<AccessTokenContent>): Promise<string> {
  const secrets = await openSecretFile(join(app.data, 'secret'), app.clock.now);
  const key = (await createKeyRing(secrets)).current().accessToken;
  return encodeAccessToken({ ...(await readAccessToken(token, [key])).content, ...changed }, key);
}

describe('an access token', () => {
  test('expires after ten minutes, to the second', async () => {
    const app = await openApp();
    const { access_token } = await app.register('ada');
    app.clock.now += 599 * SECOND;
    expect((await me(app, access_token)).status).toBe(200);
    app.clock.now += SECOND;
    const answer = await me(app, access_token);
    expect(answer.headers.get('www-authenticate')).toContain('error="invalid_token"');
    expect(await refusal(answer)).toBe('401 token_expired');
  });

  test('is asked for by name where it is missing', async () => {
    const app = await openApp();
    const answer = await app.request('/api/me');
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="imgup"');
    expect(await refusal(answer)).toBe('401 token_missing');
    const other = await app.request('/api/me?access_token=x', {
      headers: { Authorization: 'Basic eDp5' },
    });
    expect(await refusal(other)).toBe('401 token_missing');
  });

  test('is refused when forged, altered, or of the wrong kind', async () => {
    const app = await openApp();
    const { access_token, refresh_token } = await app.register('ada');
    const [header = '', payload = '', signature = ''] = access_token.split('.');
    const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
    const forged = [
      refresh_token,
      'x',
      `${header}.${payload}`,
      `${header}.${payload}.`,
      `${header}.${payload}.${signature}=`,
      `${header}.${payload}.${signature.slice(0, -2)}`,
      `${none}.${payload}.${signature}`,
      `${none}.${payload}.`,
      `${header}.${payload.slice(0, -4)}AAAA.${signature}`,
      `${access_token}.${signature}`,
      'x'.repeat(100_000),
    ];
    for (const token of forged) expect(await refusal(await me(app, token))).toBe('401 token_invalid');
    expect((await me(app, access_token)).status).toBe(200);
  });

  test('that is genuine is refused where it names another user than its session does', async () => {
    const app = await openApp();
    const [ada, eve] = [await app.register('ada'), await app.register('eve')];
    const naming = (userId: string) => resign(app, eve.access_token, { userId });
    expect((await me(app, await naming(eve.user.id))).status).toBe(200);
    expect(await refusal(await me(app, await naming(ada.user.id)))).toBe('401 token_revoked');
    expect(await refusal(await me(app, await naming('nobody')))).toBe('401 token_revoked');
  });

  test('of another server is refused', async () => {
    const [app, other] = [await openApp(), await openApp()];
    await app.register('ada');
    const { access_token } = await other.register('ada');
    expect(await refusal(await me(app, access_token))).toBe('401 token_invalid');
  });

  test('is refused once it is revoked, while its session goes on', async () => {
    const app = await openApp();
    const tokens = await app.register('ada');
    expect((await app.post('/api/logout/access', {}, tokens.access_token)).status).toBe(204);
    expect(await refusal(await me(app, tokens.access_token))).toBe('401 token_revoked');
    const next = await tokensOf(await refresh(app, tokens.refresh_token));
    expect((await me(app, next.access_token)).status).toBe(200);
  });
});

describe('a revoked access token', () => {
  const revoked = async (app: TestApp) =>
    Object.keys((JSON.parse(await readFile(join(app.data, 'db.json'), 'utf8')) as { revoked: object }).revoked);

  test('stays revoked though the server was once started with a clock that was hours ahead', async () => {
    const app = await openApp();
    const { access_token } = await app.register('ada');
    await app.post('/api/logout/access', {}, access_token);
    await app.close();
    const ahead = await openApp({ data: app.data, now: () => app.clock.now + 2 * HOUR });
    await ahead.close();
    const right = await openApp({ data: app.data });
    expect(await refusal(await me(right, access_token))).toBe('401 token_revoked');
  });

  test('is forgotten a day after it has expired', async () => {
    const app = await openApp();
    const { access_token, expires_in } = await app.register('ada');
    await app.post('/api/logout/access', {}, access_token);
    await app.close();
    const startedAt = async (now: number) => (await openApp({ data: app.data, now: () => now })).close();
    await startedAt(app.clock.now + expires_in * SECOND + DAY - 1);
    expect(await revoked(app)).toHaveLength(1);
    await startedAt(app.clock.now + expires_in * SECOND + DAY);
    expect(await revoked(app)).toEqual([]);
  });
});

describe('a refresh token', () => {
  test('is exchanged for the next pair', async () => {
    const app = await openApp();
    const first = await app.register('ada');
    const answer = await refresh(app, first.refresh_token);
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store']);
    const second = await tokensOf(answer);
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect((await me(app, second.access_token)).status).toBe(200);
  });

  test('answered but never received can be asked for again, a day later too', async () => {
    const app = await openApp();
    const first = await app.register('ada');
    const lost = await tokensOf(await refresh(app, first.refresh_token));
    app.clock.now += DAY;
    const again = await tokensOf(await refresh(app, first.refresh_token));
    expect(again.refresh_token).toBe(lost.refresh_token);
    expect((await me(app, again.access_token)).status).toBe(200);
  });

  test('asked for fifty times at once has one successor', async () => {
    const app = await openApp();
    const first = await app.register('ada');
    const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(app, first.refresh_token)));
    const successors = await Promise.all(answers.map(async (answer) => (await tokensOf(answer)).refresh_token));
    expect(new Set(successors).size).toBe(1);
  });

  test('is still answered 30 s after its successor was seen in use, and ends the session after that', async () => {
    const app = await openApp();
    const first = await app.register('ada');
    const second = await tokensOf(await refresh(app, first.refresh_token));
    expect((await me(app, second.access_token)).status).toBe(200);
    app.clock.now += 29 * SECOND;
    expect((await tokensOf(await refresh(app, first.refresh_token))).refresh_token).toBe(second.refresh_token);
    app.clock.now += 2 * SECOND;
    expect(await refusal(await refresh(app, first.refresh_token))).toBe('400 invalid_grant');
    expect(await refusal(await me(app, second.access_token))).toBe('401 token_revoked');
    expect(await refusal(await refresh(app, second.refresh_token))).toBe('400 invalid_grant');
  });

  test('whose successor was seen by a clock that was ahead is answered 30 s more, not until that time comes', async () => {
    const app = await openApp();
    const first = await app.register('ada');
    app.clock.now += 2 * HOUR;
    const second = await tokensOf(await refresh(app, first.refresh_token));
    expect((await me(app, second.access_token)).status).toBe(200);
    app.clock.now -= 2 * HOUR;
    app.clock.now += 1.5 * HOUR;
    expect((await tokensOf(await refresh(app, first.refresh_token))).refresh_token).toBe(second.refresh_token);
    app.clock.now += 31 * SECOND;
    expect(await refusal(await refresh(app, first.refresh_token))).toBe('400 invalid_grant');
    expect(await refusal(await refresh(app, second.refresh_token))).toBe('400 invalid_grant');
  });

  test('whose successor was seen in use stays replaced after a restart', async () => {
    const app = await openApp();
    const first = await app.register('ada');
    const second = await tokensOf(await refresh(app, first.refresh_token));
    expect((await me(app, second.access_token)).status).toBe(200);
    await app.close();
    const again = await openApp({ data: app.data, now: () => app.clock.now + 3600 * SECOND });
    expect(await refusal(await refresh(again, first.refresh_token))).toBe('400 invalid_grant');
    expect(await refusal(await refresh(again, second.refresh_token))).toBe('400 invalid_grant');
  });

  test('asked for while its session is ended brings nothing back, in either order', async () => {
    for (let round = 0; round < 20; round += 1) {
      const app = await openApp();
      const { refresh_token } = await app.register('ada');
      const both = [
        () => refresh(app, refresh_token),
        () => app.post('/api/logout/refresh', { refresh_token }),
        () => refresh(app, refresh_token),
      ];
      const [early, , late] = await Promise.all((round % 2 ? both : both.toReversed()).map((work) => work()));
      for (const answer of [early, late]) {
        if (answer?.status !== 200) continue;
        const tokens = await tokensOf(answer);
        if (tokens.refresh_token === undefined) continue;
        expect(await refusal(await me(app, tokens.access_token))).toBe('401 token_revoked');
      }
      expect(await refusal(await refresh(app, refresh_token))).toBe('400 invalid_grant');
      await app.close();
    }
  });

  test('used two generations late ends the session, which a thief cannot avoid', async () => {
    const app = await openApp();
    const first = await app.register('ada');
    const second = await tokensOf(await refresh(app, first.refresh_token));
    const third = await tokensOf(await refresh(app, second.refresh_token));
    expect(await refusal(await refresh(app, first.refresh_token))).toBe('400 invalid_grant');
    expect(await refusal(await me(app, third.access_token))).toBe('401 token_revoked');
  });

  test('that is forged changes nothing', async () => {
    const app = await openApp();
    const { refresh_token, access_token } = await app.register('ada');
    const bytes = Buffer.from(refresh_token, 'base64url');
    const forge = (at: number) => {
      const copy = Buffer.from(bytes);
      copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
      return copy.toString('base64url');
    };
    expect(Buffer.from(respell(refresh_token), 'base64url')).toEqual(bytes);
    const forged = [forge(0), forge(5), forge(20), forge(30), respell(refresh_token), access_token, '', 'é'];
    for (const token of forged) expect(await refusal(await refresh(app, token))).toBe('400 invalid_grant');
    for (const token of forged) {
      expect((await app.post('/api/logout/refresh', { refresh_token: token })).status).toBe(204);
    }
    expect((await me(app, access_token)).status).toBe(200);
    expect((await refresh(app, refresh_token)).status).toBe(200);
  });

  test('revoked ends its session and the access tokens with it', async () => {
    const app = await openApp();
    const { refresh_token, access_token } = await app.register('ada');
    expect((await app.post('/api/logout/refresh', { refresh_token })).status).toBe(204);
    expect(await refusal(await me(app, access_token))).toBe('401 token_revoked');
    expect(await refusal(await refresh(app, refresh_token))).toBe('400 invalid_grant');
  });
});

describe('a session', () => {
  test('ends after 30 days idle', async () => {
    const app = await openApp();
    const { refresh_token } = await app.register('ada');
    app.clock.now += 30 * DAY;
    expect(await refusal(await refresh(app, refresh_token))).toBe('400 invalid_grant');
  });

  test('takes its access tokens with it when it has been idle for 30 days', async () => {
    const app = await openApp();
    const { access_token } = await app.register('ada');
    expect((await me(app, access_token)).status).toBe(200);
    // The server makes none that lives so long.
    const late = await resign(app, access_token, { expiresAt: (app.clock.now + 60 * DAY) / SECOND });
    app.clock.now += 30 * DAY - 1;
    expect((await me(app, late)).status).toBe(200);
    app.clock.now += 1;
    expect(await refusal(await me(app, late))).toBe('401 token_revoked');
  });

  test('ends 90 days after its log-in, however much it is used', async () => {
    const app = await openApp();
    let tokens: TokensResponse = await app.register('ada');
    for (let day = 20; day <= 80; day += 20) {
      app.clock.now += 20 * DAY;
      tokens = await tokensOf(await refresh(app, tokens.refresh_token));
    }
    expect(tokens.refresh_expires_in).toBe((10 * DAY) / SECOND);
    app.clock.now += 10 * DAY - SECOND;
    const last = await tokensOf(await refresh(app, tokens.refresh_token));
    expect((await me(app, last.access_token)).status).toBe(200);
    app.clock.now += SECOND;
    expect(await refusal(await refresh(app, last.refresh_token))).toBe('400 invalid_grant');
    expect(await refusal(await me(app, last.access_token))).toBe('401 token_revoked');
  });
});
