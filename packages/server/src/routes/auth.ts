import { DEVICE_MAX, loginRequest, paths, refreshRequest, registerRequest } from '@imgup/shared';
import { Hono } from 'hono';
import type { AppEnv } from '../app-env.ts';
import { authenticate } from '../middleware/authenticate.ts';
import type { Accounts } from '../services/accounts.ts';
import type { Sessions } from '../services/sessions.ts';
import { readJson } from './request-body.ts';
import { userResponse } from './user-response.ts';

const NO_STORE = { 'Cache-Control': 'no-store' };

export function authRoutes({ accounts, sessions }: { accounts: Accounts; sessions: Sessions }) {
  return new Hono<AppEnv>()
    .post(paths.register, async (c) => {
      const { username, password, device } = await readJson(c, registerRequest);
      const { user, tokens } = await accounts.register({
        username,
        password,
        device: deviceName(device),
      });
      return c.json({ user: userResponse(user), ...tokens }, 201, NO_STORE);
    })
    .post(paths.login, async (c) => {
      const { username, password, device } = await readJson(c, loginRequest);
      const { user, tokens } = await accounts.login({
        username,
        password,
        device: deviceName(device),
      });
      return c.json({ user: userResponse(user), ...tokens }, 200, NO_STORE);
    })
    .post(paths.refresh, async (c) => {
      const { refresh_token } = await readJson(c, refreshRequest);
      const { tokens } = await sessions.refresh(refresh_token);
      return c.json(tokens, 200, NO_STORE);
    })
    .post(paths.logoutAccess, authenticate(sessions), async (c) => {
      await sessions.revokeAccessToken(c.var.auth);
      return c.body(null, 204);
    })
    .post(paths.logoutRefresh, async (c) => {
      const { refresh_token } = await readJson(c, refreshRequest);
      await sessions.revokeRefreshToken(refresh_token);
      return c.body(null, 204);
    });
}

/** For display only: without control characters, cut to the limit. */
function deviceName(device: string | undefined): string | null {
  const printable = device?.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '').trim();
  return printable ? [...printable].slice(0, DEVICE_MAX).join('') : null;
}
