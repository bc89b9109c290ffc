import { startNode } from './server-process.js';

const PASSWORD = 'a long enough secret';

/**
 * @param {string} data
 * @param {{ passwordCost?: number, flags?: Record<string, string>, secret?: string }} [options]
 * @param {{ anyCore?: boolean }} [placing]
 */
export function startImgup(data, options = {}, placing = {}) {
  return startNode('server.js', [JSON.stringify({ data, ...options })], placing);
}

/**
 * Makes an account, or logs in where it is there.
 *
 * @param {string} url
 * @param {string} username
 * @returns {Promise<{ access_token: string, refresh_token: string }>}
 */
export async function account(url, username) {
  for (const path of ['/api/register', '/api/login']) {
    const answer = await fetch(url + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ username, password: PASSWORD }),
    });
    if (answer.ok) return /** @type {Promise<{ access_token: string, refresh_token: string }>} */ (answer.json());
    await answer.arrayBuffer();
  }
  throw new Error(`no account ${username} at ${url}`);
}

export { PASSWORD };
