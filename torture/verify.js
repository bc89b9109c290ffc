import { createHash } from 'node:crypto';
import { bearer, json, tokensOf } from './clients.js';
import { presenceWithin } from './ledger.js';

/**
 * @typedef {import('./ledger.js').Presence} Presence
 */

/** Requests at once. */
const AT_ONCE = 12;

/** Of what has not changed since it was last found as promised, this part is asked for again. */
const SAMPLE = 0.1;

/**
 * Asks the server for everything that the ledger has, and settles what was in doubt: it is what is found now, and
 * must stay so.
 *
 * Access tokens, revocations and pictures are asked for each time. Log-ins and refreshes, which the server stores, are
 * too, unless `found` is given: then of those that were found as promised before, only some.
 *
 * @param {{
 *   ledger: import('./ledger.js').Ledger, send: import('./clients.js').Send, found?: Map<string, string>,
 * }} options `found`: what earlier calls have found, for this one to add to
 * @returns {Promise<{ checked: number, lost: string[] }>}
 */
export async function verify({ ledger, send, found = new Map() }) {
  const { state, note } = ledger;
  /** @param {string} key @param {string} what @param {Presence} presence */
  const isKnown = (key, what, presence) =>
    (presence === 'there' || presence === 'gone') && found.get(key) === what && Math.random() >= SAMPLE;
  /** @type {string[]} */
  const lost = [];
  let checked = 0;

  /**
   * @param {Presence} presence
   * @param {boolean} isThere
   * @param {string} what
   */
  function compare(presence, isThere, what) {
    if (presence === 'there' || presence === 'gone') checked += 1;
    if (presence === 'there' && !isThere) lost.push(`${what} was acknowledged and is lost`);
    if (presence === 'gone' && isThere) lost.push(`${what} was acknowledged as gone and is back`);
  }

  /** @param {string} path @param {RequestInit} [init] */
  async function ask(path, init) {
    const answer = await send(path, init);
    const body = Buffer.from(await answer.arrayBuffer());
    if (answer.status >= 500) lost.push(`${path} was answered ${answer.status} ${body.toString()}`);
    return { status: answer.status, body };
  }

  // Access tokens as they are, before refreshing replaces them.
  await each(state.sessions.values(), async (session) => {
    const presence = presenceWithin(session.presence, state.users.get(session.user)?.presence);
    const isRevoked = state.revocations.has(session.accessToken);
    if (isRevoked || presence === 'coming') return;
    const { status } = await ask('/api/me', { headers: bearer(session) });
    compare(presence, status === 200, 'an access token');
  });

  await each(state.revocations.values(), async ({ token, presence }) => {
    // Settled as not revoked: it was refused to the client, and may end with its session at any time.
    if (presence === 'gone') return;
    const { status } = await ask('/api/me', { headers: bearer({ accessToken: token }) });
    compare(presence, status === 401, 'the revocation of an access token');
    if (presence === 'coming') {
      note((then) => settle(then.revocations, token, status === 401));
    }
  });

  await each(state.sessions.values(), async ({ key, user, presence: own, refreshToken }) => {
    const presence = presenceWithin(own, state.users.get(user)?.presence);
    if (isKnown(key, `${presence} ${refreshToken}`, presence)) return;
    const { status, body } = await ask('/api/token/refresh', json({ refresh_token: refreshToken }));
    compare(presence, status === 200, 'a session');
    const tokens = status === 200 ? tokensOf(body.toString()) : null;
    note((then) => {
      const session = then.sessions.get(key);
      if (session !== undefined && tokens !== null) Object.assign(session, tokens);
      settle(then.sessions, key, tokens !== null);
    });
    found.set(key, tokens === null ? `gone ${refreshToken}` : `there ${tokens.refreshToken}`);
  });

  await each(state.users.values(), async ({ name, password, presence }) => {
    if (isKnown(name, presence, presence)) return;
    const { status, body } = await ask('/api/login', json({ username: name, password }));
    compare(presence, status === 200, 'a user');
    note((then) => settle(then.users, name, status === 200));
    found.set(name, status === 200 ? 'there' : 'gone');
    if (status === 200) {
      const { refreshToken } = tokensOf(body.toString());
      await ask('/api/logout/refresh', json({ refresh_token: refreshToken }));
    }
  });

  await each(state.images.values(), async ({ key, user, presence: own, path, sha256 }) => {
    if (path === '') return;
    const presence = presenceWithin(own, state.users.get(user)?.presence);
    const { status, body } = await ask(path);
    const isSame = createHash('sha256').update(body).digest('hex') === sha256;
    compare(presence, status === 200, 'a picture');
    if (status === 200 && !isSame) lost.push('a picture is served with other bytes');
    note((then) => settle(then.images, key, status === 200));
  });

  return { checked, lost };
}

/**
 * Forgets what is gone and was found so, for a ledger that goes on for long. Some of it is kept and asked for again.
 *
 * @param {import('./ledger.js').Ledger} ledger
 * @param {number} keep of each kind
 */
export function forgetGone({ note }, keep) {
  note((state) => {
    const gone = /** @param {string} user */ (user) => state.users.get(user)?.presence !== 'there';
    prune(state.images, ({ presence, user, path }) => presence === 'gone' || path === '' || gone(user), keep);
    prune(state.sessions, ({ presence, user }) => presence === 'gone' || gone(user), keep);
    prune(state.revocations, () => true, keep);
    prune(state.users, ({ presence }) => presence === 'gone', keep);
  });
}

/**
 * @template T
 * @param {Map<string, T>} entries
 * @param {(entry: T) => boolean} isOver
 * @param {number} keep
 */
function prune(entries, isOver, keep) {
  const over = [...entries].filter(([, entry]) => isOver(entry)).map(([key]) => key);
  for (const key of over.slice(0, Math.max(0, over.length - keep))) entries.delete(key);
}

/**
 * @param {Map<string, { presence: Presence }>} entries
 * @param {string} key
 * @param {boolean} isThere
 */
function settle(entries, key, isThere) {
  const entry = entries.get(key);
  if (entry !== undefined) entry.presence = isThere ? 'there' : 'gone';
}

/**
 * @template T
 * @param {Iterable<T>} items
 * @param {(item: T) => Promise<void>} work
 */
async function each(items, work) {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
