import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import type { CredentialStore } from '../../src/credentials/credential-store.ts';

/** What every credential store promises. Called inside a `describe`, with a store of its own for each test. */
export function credentialStoreContract(open: () => Promise<CredentialStore>): void {
  // A service of its own a test, since a keychain outlives the store.
  const setUp = async (): Promise<{ store: CredentialStore; service: string }> => ({
    store: await open(),
    service: `imgup-test-${randomUUID()}`,
  });
  const account = 'http://localhost:4747|ada';

  it('an account that was never stored is null, not deleted, and not found', async () => {
    const { store, service } = await setUp();

    expect(await store.getPassword(service, account)).toBeNull();
    expect(await store.deletePassword(service, account)).toBe(false);
    expect(await store.findCredentials(service)).toEqual([]);
  });

  it('what was stored is read back', async () => {
    const { store, service } = await setUp();
    await store.setPassword(service, account, 'secret');

    expect(await store.getPassword(service, account)).toBe('secret');
  });

  it('storing again replaces', async () => {
    const { store, service } = await setUp();
    await store.setPassword(service, account, 'old');
    await store.setPassword(service, account, 'new');

    expect(await store.getPassword(service, account)).toBe('new');
    expect(await store.findCredentials(service)).toEqual([{ account, password: 'new' }]);
  });

  it('deleting is true once, and deletes that account alone', async () => {
    const { store, service } = await setUp();
    await store.setPassword(service, account, 'a');
    await store.setPassword(service, 'http://localhost:4747|ben', 'b');

    expect(await store.deletePassword(service, account)).toBe(true);
    expect(await store.deletePassword(service, account)).toBe(false);
    expect(await store.getPassword(service, account)).toBeNull();
    expect(await store.findCredentials(service)).toEqual([{ account: 'http://localhost:4747|ben', password: 'b' }]);
  });

  it('services do not see each other', async () => {
    const { store, service } = await setUp();
    const other = `${service}-other`;
    await store.setPassword(service, account, 'here');
    await store.setPassword(other, account, 'there');

    expect(await store.getPassword(service, account)).toBe('here');
    expect(await store.findCredentials(service)).toEqual([{ account, password: 'here' }]);
    await store.deletePassword(service, account);
    expect(await store.getPassword(other, account)).toBe('there');
  });

  it('accounts that differ by case alone are two', async () => {
    const { store, service } = await setUp();
    await store.setPassword(service, 'https://example.org|Ada', 'upper');
    await store.setPassword(service, 'https://example.org|ada', 'lower');

    expect(await store.getPassword(service, 'https://example.org|Ada')).toBe('upper');
    expect(await store.getPassword(service, 'https://example.org|ada')).toBe('lower');
  });

  it.each(['__proto__', 'constructor', 'toString'])('%s is an account like any other', async (name) => {
    const { store, service } = await setUp();

    expect(await store.getPassword(service, name)).toBeNull();
    await store.setPassword(service, name, 'secret');
    expect(await store.getPassword(service, name)).toBe('secret');
    expect(await store.findCredentials(service)).toEqual([{ account: name, password: 'secret' }]);
    expect(({} as Record<string, unknown>)['secret']).toBeUndefined();
  });

  it.each([
    ['a record of 1,200 characters', 'x'.repeat(1200)],
    ['characters outside ASCII and the first plane', 'pässwörd 🔑'],
    ['quotes, backslashes and line ends', '{"a":"\\"}\r\n\t'],
  ])('%s comes back as it was', async (_, secret) => {
    const { store, service } = await setUp();
    await store.setPassword(service, account, secret);

    expect(await store.getPassword(service, account)).toBe(secret);
    expect(await store.findCredentials(service)).toEqual([{ account, password: secret }]);
  });

  it('requests made at once are all answered', async () => {
    const { store, service } = await setUp();
    const accounts = Array.from({ length: 10 }, (_, index) => `account ${index}`);
    await Promise.all(accounts.map((name) => store.setPassword(service, name, `secret of ${name}`)));

    const found = await store.findCredentials(service);
    expect(found.map((each) => each.account).toSorted()).toEqual(accounts);
    expect(await Promise.all(accounts.map((name) => store.getPassword(service, name)))).toEqual(
      accounts.map((name) => `secret of ${name}`),
    );
  });
}
