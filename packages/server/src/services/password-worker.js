// Runs in a worker thread. Plain JavaScript, because Node 20 starts no TypeScript and tests run from the sources.
import { compareSync, hashSync } from 'bcryptjs';
import { giveWay } from '../give-way.js';

giveWay();

/**
 * @typedef {{ kind: 'hash', password: string, cost: number }} HashTask
 * @typedef {{ kind: 'verify', password: string, hash: string }} VerifyTask
 */

/** @param {HashTask} task */
export function hash({ password, cost }) {
  return hashSync(password, cost);
}

/** @param {VerifyTask} task */
export function verify({ password, hash }) {
  return compareSync(password, hash);
}
