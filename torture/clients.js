import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { presenceWithin } from './ledger.js';
import { uniquePng } from './pictures.js';

/** Far below what the server keeps of a user (ARCHITECTURE.md, "Sessions"), for there are those that were not answered. */
const SESSIONS_MAX = 40;

/**
 * @typedef {import('./ledger.js').Ledger} Ledger
 * @typedef {import('./ledger.js').SessionEntry} SessionEntry
 * @typedef {(path: string, init?: RequestInit) => Promise<Response>} Send
 */

const ADMIN = 'admin';

/**
 * Clients of one server that write down what they were promised.
 *
 * @param {{
 *   ledger: Ledger,
 *   send: Send,
 *   mayFail?: boolean,
 *   random?: () => number,
 *   pictureBytes?: [number, number],
 * }} options `mayFail`: answers of 5xx are expected, because something is being broken on purpose
 */
export function createClients({ ledger, send, mayFail = false, random = Math.random, pictureBytes = [250, 40_000] }) {
  const { state, note } = ledger;
  /** Sessions that a client is using: each token belongs to one client. @type {Set<string>} */
  const busy = new Set();

  /** @template T @param {T[]} list @returns {T | undefined} */
  const pick = (list) => list[Math.floor(random() * list.length)];

  /** @param {string} name */
  function sessionsOf(name) {
    return [...state.sessions.values()].filter(({ user, presence }) => user === name && presence !== 'gone').length;
  }

  /** @param {SessionEntry} session */
  function presenceOf(session) {
    return presenceWithin(session.presence, state.users.get(session.user)?.presence);
  }

  /**
   * Sends, and tells what came of it: an answer with its body read, or null where none came.
   *
   * @param {string} what for a violation
   * @param {string} path
   * @param {RequestInit} init
   * @param {() => number[]} allowed statuses other than 2xx that are right in the circumstances, asked after the answer
   */
  async function exchange(what, path, init, allowed) {
    let answer;
    let body;
    try {
      answer = await send(path, init);
      body = await answer.text();
    } catch {
      note((then) => {
        then.unanswered += 1;
      });
      return null;
    }
    const { status, ok } = answer;
    if (!ok && !allowed().includes(status) && !(mayFail && status >= 500)) {
      ledger.violations.push(`${what} was answered ${status} ${body}`);
    }
    note((then) => {
      if (ok) then.acknowledged += 1;
      else then.unanswered += 1;
    });
    return { status, ok, body };
  }

  /**
   * Does something with a session that nobody else uses meanwhile.
   *
   * @param {(session: SessionEntry) => Promise<void>} work
   * @param {(session: SessionEntry) => boolean} fits
   */
  async function withSession(work, fits = () => true) {
    const free = [...state.sessions.values()].filter(
      (session) => !busy.has(session.key) && presenceOf(session) === 'there' && fits(session),
    );
    const session = pick(free);
    if (session === undefined) return register();
    busy.add(session.key);
    try {
      await work(session);
    } finally {
      busy.delete(session.key);
    }
  }

  /** What may be answered to a session which others may be ending at the same time. @param {SessionEntry} session */
  const refusals = (session) => (presenceOf(session) === 'there' ? [] : [400, 401, 404]);

  async function register(name = `user-${randomBytes(6).toString('hex')}`) {
    const password = randomBytes(12).toString('base64url');
    note((then) => then.users.set(name, { name, password, presence: 'coming' }));
    const answer = await exchange('a registration', '/api/register', json({ username: name, password }), () => []);
    if (answer?.ok !== true) return;
    const tokens = tokensOf(answer.body);
    note((then) => {
      setPresence(then.users.get(name), 'there');
      addSession(then, name, tokens);
    });
  }

  async function login() {
    const user = pick([...state.users.values()].filter(({ presence }) => presence === 'there'));
    if (user === undefined || sessionsOf(user.name) >= SESSIONS_MAX) return register();
    const { name, password } = user;
    const answer = await exchange('a log-in', '/api/login', json({ username: name, password }), () => [401]);
    if (answer?.status === 401 && user.presence === 'there') {
      ledger.violations.push('a log-in was refused to a user who was never removed');
    }
    if (answer?.ok !== true) return;
    const tokens = tokensOf(answer.body);
    note((then) => {
      addSession(then, name, tokens);
    });
  }

  function refresh() {
    return withSession(async (session) => {
      const { key, refreshToken } = session;
      const answer = await exchange('a refresh', '/api/token/refresh', json({ refresh_token: refreshToken }), () => [
        400,
      ]);
      if (answer?.status === 400 && presenceOf(session) === 'there') {
        ledger.violations.push('a refresh was refused to a session that nobody ended');
      }
      if (answer?.ok !== true) return;
      const tokens = tokensOf(answer.body);
      note((then) => {
        const entry = then.sessions.get(key);
        if (entry !== undefined) Object.assign(entry, tokens);
      });
    });
  }

  function upload() {
    return withSession(async (session) => {
      const [least, most] = pictureBytes;
      const picture = uniquePng(Math.floor(least + random() * (most - least)));
      const sha256 = createHash('sha256').update(picture).digest('hex');
      const key = sha256;
      const { user, accessToken } = session;
      note((then) => then.images.set(key, { key, user, presence: 'coming', id: '', path: '', sha256 }));
      const authorization = { Authorization: `Bearer ${accessToken}` };
      const request = random() < 0.5 ? raw(picture) : form(picture);
      request.headers = { ...request.headers, ...authorization };
      // What keeps its metadata is stored as it was received, everything else as a copy: each has an fsync of its own.
      if (random() < 0.3) request.headers['X-Imgup-Metadata'] = 'keep';
      if (random() < 0.2) request.headers['X-Imgup-Expires'] = '1d';
      const answer = await exchange('an upload', '/api/images', request, () => refusals(session));
      if (answer?.status === 401 && presenceOf(session) === 'there') {
        ledger.violations.push('an upload was refused to a session that nobody ended');
      }
      if (answer?.ok !== true) return;
      const { id, url } = /** @type {{ id: string, url: string }} */ (JSON.parse(answer.body));
      const path = new URL(url).pathname;
      note((then) => {
        const image = then.images.get(key);
        if (image !== undefined) Object.assign(image, { id, path });
        setPresence(image, 'there');
      });
    });
  }

  function deleteImage() {
    return withSession(async (session) => {
      const mine = [...state.images.values()].filter(
        ({ user, presence }) => user === session.user && presence === 'there',
      );
      const image = pick(mine);
      if (image === undefined) return;
      const { key, id } = image;
      note((then) => setPresence(then.images.get(key), 'leaving'));
      const init = { method: 'DELETE', headers: bearer(session) };
      const answer = await exchange('a deletion', `/api/images/${id}`, init, () => refusals(session));
      if (answer?.ok === true) note((then) => setPresence(then.images.get(key), 'gone'));
    });
  }

  /** Of a picture that is there, by whoever has its link. */
  async function read() {
    const image = pick([...state.images.values()].filter(({ path, presence }) => path !== '' && presence === 'there'));
    if (image === undefined) return;
    const isThere = () => presenceWithin(image.presence, state.users.get(image.user)?.presence) === 'there';
    await exchange('a reader', image.path, {}, () => (isThere() ? [] : [404]));
  }

  function logout() {
    return withSession(
      async ({ key, refreshToken }) => {
        note((then) => setPresence(then.sessions.get(key), 'leaving'));
        const once = async () => {
          const init = json({ refresh_token: refreshToken });
          const answer = await exchange('a log-out', '/api/logout/refresh', init, () => []);
          if (answer?.ok === true) note((then) => setPresence(then.sessions.get(key), 'gone'));
        };
        // Twice at once at times: the answer to either is a promise.
        await Promise.all(random() < 0.3 ? [once(), once()] : [once()]);
      },
      ({ user }) => user !== ADMIN,
    );
  }

  function revokeAccess() {
    return withSession(async (session) => {
      const { key, accessToken } = session;
      note((then) => then.revocations.set(accessToken, { token: accessToken, session: key, presence: 'coming' }));
      const init = { method: 'POST', headers: bearer(session) };
      const answer = await exchange('a revocation', '/api/logout/access', init, () => refusals(session));
      if (answer?.ok === true) note((then) => setPresence(then.revocations.get(accessToken), 'there'));
      // Whatever came of it, this session's next request needs a new one.
      const refreshed = await exchange(
        'a refresh',
        '/api/token/refresh',
        json({ refresh_token: session.refreshToken }),
        () => refusals(session),
      );
      if (refreshed?.ok !== true) {
        note((then) => setPresence(then.sessions.get(key), 'leaving'));
        return;
      }
      const tokens = tokensOf(refreshed.body);
      note((then) => {
        const entry = then.sessions.get(key);
        if (entry !== undefined) Object.assign(entry, tokens);
      });
    });
  }

  function endOther() {
    return withSession(async (session) => {
      const others = [...state.sessions.values()].filter(
        ({ user, key, presence }) =>
          user === session.user && user !== ADMIN && key !== session.key && presence === 'there',
      );
      const other = pick(others);
      if (other === undefined) return login();
      const id = sessionIdOf(other);
      const { key } = other;
      note((then) => setPresence(then.sessions.get(key), 'leaving'));
      const init = { method: 'DELETE', headers: bearer(session) };
      const answer = await exchange('the end of a session', `/api/sessions/${id}`, init, () => [401, 404]);
      if (answer?.ok === true) note((then) => setPresence(then.sessions.get(key), 'gone'));
    });
  }

  async function removeUser() {
    const admin = [...state.sessions.values()].find(({ user }) => user === ADMIN);
    const user = pick([...state.users.values()].filter(({ name, presence }) => presence === 'there' && name !== ADMIN));
    if (admin === undefined || user === undefined) return register();
    const { name } = user;
    note((then) => setPresence(then.users.get(name), 'leaving'));
    const init = { method: 'DELETE', headers: bearer(admin) };
    const answer = await exchange('the removal of a user', `/api/users/${name}`, init, () => [401, 404]);
    if (answer?.ok === true) note((then) => setPresence(then.users.get(name), 'gone'));
  }

  const kinds = { register, login, refresh, upload, read, logout, revokeAccess, endOther, removeUser, deleteImage };

  return {
    ...kinds,

    /** The first user, who is the administrator, and whose session nothing ends. */
    async registerAdmin() {
      await register(ADMIN);
    },

    /**
     * Work of all kinds at once, until it is told to stop or the server is gone.
     *
     * @param {{ signal: AbortSignal, atOnce?: number, mix?: Partial<Record<keyof typeof kinds, number>> }} options
     *   `mix`: how often each, relative to the others
     */
    async work({ signal, atOnce = 12, mix = MIXED }) {
      const wheel = Object.entries(mix).flatMap(([kind, weight]) =>
        Array.from({ length: weight }, () => kinds[/** @type {keyof typeof kinds} */ (kind)]),
      );
      const worker = async () => {
        while (!signal.aborted) {
          const before = state.unanswered;
          await (pick(wheel) ?? register)();
          // A server that is gone refuses connections as fast as they are made.
          if (state.unanswered > before) await sleep(5);
        }
      };
      await Promise.all(Array.from({ length: atOnce }, worker));
    },
  };
}

export const MIXED = {
  register: 2,
  login: 3,
  refresh: 6,
  upload: 8,
  logout: 2,
  revokeAccess: 2,
  endOther: 1,
  removeUser: 2,
  deleteImage: 2,
};

/** @param {{ presence: import('./ledger.js').Presence } | undefined} entry @param {import('./ledger.js').Presence} presence */
function setPresence(entry, presence) {
  // An end that was promised stays promised, whichever answer comes last.
  if (entry !== undefined && entry.presence !== 'gone') entry.presence = presence;
}

/**
 * @param {import('./ledger.js').LedgerState} state
 * @param {string} user
 * @param {{ refreshToken: string, accessToken: string }} tokens
 */
function addSession(state, user, tokens) {
  const key = tokens.refreshToken;
  state.sessions.set(key, { key, user, presence: 'there', ...tokens });
}

/** @param {string} body */
export function tokensOf(body) {
  const tokens = /** @type {{ access_token: string, refresh_token: string }} */ (JSON.parse(body));
  return { accessToken: tokens.access_token, refreshToken: tokens.refresh_token };
}

/** The claim `sid` of the access token. @param {SessionEntry} session */
function sessionIdOf({ accessToken }) {
  const claims = Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString();
  return /** @type {{ sid: string }} */ (JSON.parse(claims)).sid;
}

/** @param {{ accessToken: string }} session @returns {Record<string, string>} */
export function bearer({ accessToken }) {
  return { Authorization: `Bearer ${accessToken}` };
}

/** @param {object} body */
export function json(body) {
  return { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } };
}

/** @param {Buffer} picture @returns {Omit<RequestInit, 'headers'> & { headers: Record<string, string> }} */
export function raw(picture) {
  return { method: 'POST', body: picture, headers: { 'Content-Type': 'image/png' } };
}

/** @param {Buffer} picture @returns {Omit<RequestInit, 'headers'> & { headers: Record<string, string> }} */
export function form(picture) {
  const body = new FormData();
  body.set('file', new Blob([picture]), 'picture.png');
  return { method: 'POST', body, headers: {} };
}
