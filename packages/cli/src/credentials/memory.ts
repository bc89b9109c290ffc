import type { CredentialStore } from './credential-store.ts';

/** Forgets everything with the process: for tests, and for a token that must not be stored. */
export function createMemoryStore(): CredentialStore {
  const services = new Map<string, Map<string, string>>();

  return {
    kind: 'memory',

    async getPassword(service, account) {
      return services.get(service)?.get(account) ?? null;
    },

    async setPassword(service, account, password) {
      const accounts = services.get(service) ?? new Map<string, string>();
      services.set(service, accounts.set(account, password));
    },

    async deletePassword(service, account) {
      return services.get(service)?.delete(account) ?? false;
    },

    async findCredentials(service) {
      return [...(services.get(service) ?? [])].map(([account, password]) => ({ account, password }));
    },
  };
}
