import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ResolveOptions, StoreKind } from '../../src/credentials/resolve.ts';
import { resolveCredentialStore } from '../../src/credentials/resolve.ts';
import { MISSING, startSecretService, type SecretService } from '../secret-service.ts';

const NO_BUS = { ...process.env, DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent/bus' };

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'imgup-resolve-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

function options(given: Partial<ResolveOptions>) {
  const remember = vi.fn<(kind: StoreKind) => Promise<void>>(async () => {});
  const warn = vi.fn<(message: string) => void>();
  return {
    choice: undefined,
    remembered: undefined,
    directory,
    env: NO_BUS,
    remember,
    warn,
    ...given,
    spies: { remember, warn },
  };
}

describe.runIf(process.platform === 'linux')('choosing a store where there is no keychain', () => {
  it('the first time it is the file, with one warning that says why, and it is remembered', async () => {
    const first = options({});
    const store = await resolveCredentialStore(first);

    expect(store.kind).toBe('file');
    expect(first.spies.remember.mock.calls).toEqual([['file']]);
    expect(first.spies.warn).toHaveBeenCalledOnce();
    expect(first.spies.warn.mock.calls[0]?.[0]).toMatch(
      /no D-Bus session .*tokens are kept in a file .*CREDENTIAL_STORE=keychain/,
    );
    expect(first.spies.warn.mock.calls[0]?.[0]).toContain(directory);
  });

  it('from then on it is the file without a word', async () => {
    const later = options({ remembered: 'file' });

    expect((await resolveCredentialStore(later)).kind).toBe('file');
    expect(later.spies.warn).not.toHaveBeenCalled();
    expect(later.spies.remember).not.toHaveBeenCalled();
  });

  it('a remembered keychain never becomes a file', async () => {
    const later = options({ remembered: 'keychain' });
    const store = await resolveCredentialStore(later);

    expect(store.kind).toBe('keychain');
    await expect(store.setPassword('imgup', 'ada', 'secret')).rejects.toMatchObject({ code: 'no-bus' });
    expect(await readdir(directory)).toEqual([]);
    expect(later.spies.remember).not.toHaveBeenCalled();
  });

  it('a chosen keychain never becomes a file, even where a file was remembered', async () => {
    const store = await resolveCredentialStore(options({ choice: 'keychain', remembered: 'file' }));

    expect(store.kind).toBe('keychain');
    await expect(store.getPassword('imgup', 'ada')).rejects.toMatchObject({ code: 'no-bus' });
  });

  it('a chosen file is not remembered, and is not worth a warning', async () => {
    for (const remembered of [undefined, 'keychain'] as const) {
      const chosen = options({ choice: 'file', remembered });

      expect((await resolveCredentialStore(chosen)).kind).toBe('file');
      expect(chosen.spies.warn).not.toHaveBeenCalled();
      expect(chosen.spies.remember).not.toHaveBeenCalled();
    }
  });
});

const service = await startSecretService();
if (!service) console.warn(`skipped: ${MISSING}`);

describe.runIf(service)('choosing a store where there is a keychain', () => {
  let keyring: SecretService;
  beforeAll(() => {
    if (service) keyring = service;
  });
  afterAll(() => keyring.stop());

  it('the first time it is the keychain, and it is remembered without a word', async () => {
    const first = options({ env: keyring.env });
    const store = await resolveCredentialStore(first);

    expect(store.kind).toBe('keychain');
    expect(first.spies.remember.mock.calls).toEqual([['keychain']]);
    expect(first.spies.warn).not.toHaveBeenCalled();
    await store.setPassword('imgup', 'ada', 'secret');
    expect(await store.findCredentials('imgup')).toEqual([{ account: 'ada', password: 'secret' }]);
  });

  it('a remembered file stays the file', async () => {
    expect((await resolveCredentialStore(options({ env: keyring.env, remembered: 'file' }))).kind).toBe('file');
  });

  it('a keychain that can be read but not written is not chosen', async () => {
    await keyring.refuseWrites();
    const first = options({ env: keyring.env });

    expect((await resolveCredentialStore(first)).kind).toBe('file');
    expect(first.spies.warn.mock.calls[0]?.[0]).toMatch(/refused to store/);
  });
});
