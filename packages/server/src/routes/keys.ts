import { createKeyRequest, paths, type CreateKeyResponse, type KeysResponse } from '@imgup/shared';
import { Hono } from 'hono';
import type { AppEnv } from '../app-env.ts';
import { authenticate, type Authenticators } from '../middleware/authenticate.ts';
import type { UploadKey } from '../ports/account-store.ts';
import { readJson } from './request-body.ts';

const NO_STORE = { 'Cache-Control': 'no-store' };

/** The upload keys of the user who asks, which a key itself may neither make nor see. */
export function keyRoutes(services: Authenticators) {
  const { uploadKeys } = services;
  return new Hono<AppEnv>()
    .post(paths.keys, authenticate(services), async (c) => {
      const { name } = await readJson(c, createKeyRequest);
      const { key, text } = await uploadKeys.create(c.var.auth, name);
      const body: CreateKeyResponse = { ...keyResponse(key), key: text };
      return c.json(body, 201, NO_STORE);
    })
    .get(paths.keys, authenticate(services), async (c) => {
      const mine = await uploadKeys.list(c.var.auth.user.id);
      const body: KeysResponse = {
        keys: mine.map((key) => ({
          ...keyResponse(key),
          last_used_at: key.lastUsedAt === null ? null : new Date(key.lastUsedAt).toISOString(),
        })),
      };
      return c.json(body, 200, NO_STORE);
    })
    .delete(paths.key, authenticate(services), async (c) => {
      await uploadKeys.revoke(c.var.auth.user.id, c.req.param('id') ?? '');
      return c.body(null, 204);
    });
}

/** A key as the API shows it: never its hash. */
function keyResponse({ id, name, createdAt }: UploadKey) {
  return { id, name, created_at: new Date(createdAt).toISOString() };
}
