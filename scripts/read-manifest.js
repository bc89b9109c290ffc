import { readFileSync } from 'node:fs';

/**
 * @typedef {object} Manifest
 * @property {string} name
 * @property {string} version
 * @property {string} [license]
 * @property {string | { name: string }} [author]
 * @property {string} [packageManager]
 * @property {Record<string, string>} [dependencies]
 */

/**
 * @param {string | URL} path of a package.json
 * @returns {Manifest}
 */
export function readManifest(path) {
  return /** @type {Manifest} */ (JSON.parse(readFileSync(path, 'utf8')));
}
