import { randomBytes } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { encodeAccessToken } from '../src/services/access-token.ts';
import { createKeyRing } from '../src/services/key-ring.ts';
import { createTokenMemory } from '../src/services/token-memory.ts';

const CONTENT = { userId: 'u', sessionId: 's', tokenId: 't', counter: 0, issuedAt: 1000, expiresAt: 1600 };

test('a signature is checked once', async () => {
  const keyRing = await createKeyRing([randomBytes(32)]);
  const genuine = createTokenMemory(keyRing);
  const token = await encodeAccessToken(CONTENT, keyRing.current().accessToken);
  const verify = vi.spyOn(crypto.subtle, 'verify');
  for (let times = 0; times < 3; times += 1) expect((await genuine(token)).content).toEqual(CONTENT);
  expect(verify).toHaveBeenCalledOnce();
});

test('a token is forgotten with the key that it was made with', async () => {
  const [secret, next] = [randomBytes(32), randomBytes(32)];
  const keyRing = await createKeyRing([secret]);
  const genuine = createTokenMemory(keyRing);
  const token = await encodeAccessToken(CONTENT, keyRing.current().accessToken);
  await genuine(token);
  await keyRing.replace([next, secret]);
  await genuine(token);
  await keyRing.replace([next]);
  await expect(genuine(token)).rejects.toMatchObject({ code: 'token_invalid' });
});

test('what is refused is not remembered', async () => {
  const keyRing = await createKeyRing([randomBytes(32)]);
  const genuine = createTokenMemory(keyRing);
  const [foreign, late] = [randomBytes(32), randomBytes(32)];
  const token = await encodeAccessToken(CONTENT, (await createKeyRing([foreign])).current().accessToken);
  await expect(genuine(token)).rejects.toMatchObject({ code: 'token_invalid' });
  await expect(genuine(token)).rejects.toMatchObject({ code: 'token_invalid' });
  await keyRing.replace([late, foreign]);
  expect((await genuine(token)).content).toEqual(CONTENT);
});
