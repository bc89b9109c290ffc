import { vi } from 'vitest';

/** Milliseconds; a busy machine takes its time, and a test that fails may, too. */
const PATIENCE = 15_000;

/** Tries until `look` does not throw, and resolves to what it gave. @param options.interval milliseconds */
export function eventually<T>(look: () => T | Promise<T>, options: { interval?: number } = {}): Promise<T> {
  return vi.waitFor(look, { timeout: PATIENCE, ...options });
}
