import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';

/**
 * What a log line, an answer and a problem have in common, so that a person can quote it. It is kept beside the request
 * rather than handed on, because adapters log too, and know nothing of requests.
 */
const current = new AsyncLocalStorage<string>();

/** The id of the request that is being answered; undefined for work in the background. */
export function requestId(): string | undefined {
  return current.getStore();
}

/** Does everything under this id, what it awaits too. */
export function underRequestId<T>(id: string, work: () => T): T {
  return current.run(id, work);
}

/** 16 digits: short enough to be read out. Taken from a UUID, of which Node makes many at once. */
export function newRequestId(): string {
  return randomUUID().slice(19).replace('-', '');
}

/** Whether an id from elsewhere can stand in a header, a log and a URN as it is: UUIDs can, and what cloud balancers make. */
export function isSaneRequestId(id: string): boolean {
  return /^[\w.:=+-]{8,128}$/.test(id);
}
