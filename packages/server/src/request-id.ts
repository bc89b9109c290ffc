import { randomUUID } from 'node:crypto';

/**
 * What an answer, its problem and its lines in the log have in common, so that a person can quote it. 16 digits: short
 * enough to be read out. Taken from a UUID, of which Node makes many at once.
 */
export function newRequestId(): string {
  return randomUUID().slice(19).replace('-', '');
}

/** Whether an id from elsewhere can stand in a header, a log and a URN as it is: UUIDs can, and what cloud balancers make. */
export function isSaneRequestId(id: string): boolean {
  return /^[\w.:=+-]{8,128}$/.test(id);
}
