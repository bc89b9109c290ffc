import { describe } from 'vitest';
import { createMemoryStore } from '../../src/credentials/memory.ts';
import { credentialStoreContract } from '../contracts/credential-store.ts';

describe('memory store', () => {
  credentialStoreContract(async () => createMemoryStore());
});
