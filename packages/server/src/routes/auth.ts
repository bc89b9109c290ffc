import { DEVICE_MAX, loginRequest, passwordRequest, paths, refreshRequest, registerRequest } from '@imgup/shared';
import { Hono } from 'hono';
import type { AppEnv } from '../app-env.ts';
import { authenticate, type Authenticators } from '../middleware/authenticate.ts';
import { clientAddress, type Network } from '../middleware/client-address.ts';
import type { Accounts } from '../services/accounts.ts';
import type { AttemptLimits } from '../services/attempt-limits.ts';
import { readJson } from './request-body.ts';
import { userResponse } from './user-response.ts';

const NO_STORE = { 'Cache-Control': 'no-store' };

interface AuthRoutesOptions extends Authenticators {
  accounts: Accounts;
  attempts: AttemptLimits;
  trustedProxies: Network[];
}

export function authRoutes(options: AuthRoutesOptions) {
  const { accounts, sessions, attempts, trustedProxies } = options;
  return new Hono<AppEnv>()
    .post(paths.register, async (c) => {
      const { username, password, device } = await readJson(c, registerRequest);
      await attempts.password(clientAddress(c, trustedProxies), username);
      const { user, tokens } = await accounts.register({ username, password, device: deviceName(device) });
      return c.json({ user: userResponse(user), ...tokens }, 201, NO_STORE);
    })
    .post(paths.login, async (c) => {
      const { username, password, device } = await readJson(c, loginRequest);
      await attempts.password(clientAddress(c, trustedProxies), username);
      const { user, tokens } = await accounts.login({ username, password, device: deviceName(device) });
      return c.json({ user: userResponse(user), ...tokens }, 200, NO_STORE);
    })
    .post(paths.refresh, async (c) => {
      const { refresh_token } = await readJson(c, refreshRequest);
      await attempts.refresh(clientAddress(c, trustedProxies), refresh_token);
      return c.json(await sessions.refresh(refresh_token), 200, NO_STORE);
    })
    .post(paths.password, authenticate(options), async (c) => {
      const body = await readJson(c, passwordRequest);
      const { user } = c.var.auth;
      await attempts.password(clientAddress(c, trustedProxies), user.username);
      await accounts.changePassword(c.var.auth, body.current, body.new);
      return c.body(null, 204);
    })
    .post(paths.logoutAccess, authenticate(options), async (c) => {
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
  return printable ? Array.from(printable).slice(0, DEVICE_MAX).join('') : null;
}
