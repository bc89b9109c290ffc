/**
 * What the server has said of a thing that a client made.
 *
 * - `coming`: its creation was sent, and not answered by 2xx: it may be there or not
 * - `there`: acknowledged
 * - `leaving`: its removal was sent, and not answered by 2xx: it may be there or not
 * - `gone`: its removal was acknowledged
 *
 * @typedef {'coming' | 'there' | 'leaving' | 'gone'} Presence
 *
 * @typedef {{ name: string, password: string, presence: Presence }} UserEntry
 * @typedef {{
 *   key: string, user: string, presence: Presence, refreshToken: string, accessToken: string,
 * }} SessionEntry
 * @typedef {{ token: string, session: string, presence: Presence }} RevocationEntry
 *   an access token's revocation: there, or not
 * @typedef {{
 *   key: string, user: string, presence: Presence, id: string, path: string, sha256: string,
 * }} ImageEntry `path` is empty until the upload is acknowledged
 *
 * @typedef {{
 *   users: Map<string, UserEntry>,
 *   sessions: Map<string, SessionEntry>,
 *   revocations: Map<string, RevocationEntry>,
 *   images: Map<string, ImageEntry>,
 *   acknowledged: number,
 *   unanswered: number,
 * }} LedgerState
 *
 * @typedef {ReturnType<typeof createLedger>} Ledger
 */

/**
 * What clients were promised. Every entry is stamped with a position in time, so that the promises of any earlier
 * moment can be told.
 *
 * @param {{ position?: () => number, start?: LedgerState }} options `position` never goes back
 */
export function createLedger({ position = () => 0, start = emptyState() } = {}) {
  /** @type {{ at: number, change: (state: LedgerState) => void }[]} */
  const entries = [];
  const state = structuredClone(start);
  /** Answers that no server may give, whatever happens to it. @type {string[]} */
  const violations = [];

  return {
    /** As of now. */
    state,
    violations,

    /** @param {(state: LedgerState) => void} change of what it is given and of nothing else; it will be repeated */
    note(change) {
      entries.push({ at: position(), change });
      change(state);
    },

    /**
     * @param {number} at
     * @returns {LedgerState}
     */
    stateAt(at) {
      const then = structuredClone(start);
      for (const entry of entries) if (entry.at <= at) entry.change(then);
      return then;
    },
  };
}

/** @returns {LedgerState} */
function emptyState() {
  return {
    users: new Map(),
    sessions: new Map(),
    revocations: new Map(),
    images: new Map(),
    acknowledged: 0,
    unanswered: 0,
  };
}

/**
 * A thing is no surer than whom it belongs to.
 *
 * @param {Presence} own
 * @param {(Presence | undefined)[]} owners
 * @returns {Presence}
 */
export function presenceWithin(own, ...owners) {
  if (own === 'gone' || owners.includes('gone')) return 'gone';
  if (own === 'coming') return 'coming';
  return owners.some((owner) => owner !== 'there') ? 'leaving' : own;
}
