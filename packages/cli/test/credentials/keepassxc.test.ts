import { afterAll, describe, expect, it } from 'vitest';
import { createKeychainStore, type KeychainStore } from '../../src/credentials/keychain.ts';
import { credentialStoreContract } from '../contracts/credential-store.ts';
import { AGAIN, KEEPASSXC_MISSING, startKeePassXc } from '../keepassxc.ts';
import { busyTime } from '../secret-service.ts';

let unlocked = await startKeePassXc();
if (!unlocked) console.warn(`skipped: ${KEEPASSXC_MISSING}`);

describe.runIf(unlocked)('keychain store on KeePassXC', { retry: AGAIN }, () => {
  let store: KeychainStore | undefined;

  async function end(): Promise<void> {
    store?.close();
    store = undefined;
    await unlocked?.stop();
  }
  afterAll(end);

  credentialStoreContract(async () => {
    if (unlocked?.hasEnded() === true) {
      await end();
      unlocked = await startKeePassXc();
    }
    // What is stored matters here, and not how long a busy machine takes for it.
    store ??= createKeychainStore({ timeoutMs: 60_000, ...(unlocked && { env: unlocked.env }) });
    return store;
  });
});

describe.runIf(unlocked)('keychain store on a locked KeePassXC', { retry: AGAIN }, () => {
  it.each([
    ['asks for its password when it is searched', true],
    ['finds nothing when it is searched', false],
  ])('that %s: an error that says so within 5 s, and never "nothing stored"', async (_, unlockBeforeSearch) => {
    const service = await startKeePassXc({ locked: true, unlockBeforeSearch });
    const verbs: ((store: KeychainStore) => Promise<unknown>)[] = [
      (store) => store.getPassword('imgup-test', 'ada'),
      (store) => store.setPassword('imgup-test', 'ada', 'secret'),
      (store) => store.deletePassword('imgup-test', 'ada'),
      (store) => store.findCredentials('imgup-test'),
      (store) => store.probe('imgup-test'),
    ];
    try {
      await Promise.all(
        verbs.map(async (work) => {
          const store = createKeychainStore(service ? { env: service.env } : {});
          const before = performance.now();
          const busy = busyTime();
          await expect(work(store)).rejects.toMatchObject({
            code: 'locked',
            message: expect.stringMatching(
              /^The keychain is locked.*IMGUP_CREDENTIAL_STORE=file to keep tokens in a file\.$/,
            ),
          });
          expect(performance.now() - before - (await busy)).toBeLessThan(5_000);
          store.close();
        }),
      );
    } finally {
      await service?.stop();
    }
  });
});
