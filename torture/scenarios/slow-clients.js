import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bearer, createClients, raw } from '../clients.js';
import { createLedger } from '../ledger.js';
import { uniquePng } from '../pictures.js';
import { startServerProcess } from '../server-process.js';
import { openSlowClient } from '../slow-clients.js';

/** What is promised to an honest client meanwhile, in milliseconds. */
const HONEST_LIMIT = 100;

/** Seconds by which a slow client must have been closed: its time-out, the interval of looking, and some for the machine. */
const CLOSED_BY = { headers: 15 + 2 + 3, body: 20 + 3 };

/** @type {import('../main.js').Scenario} */
export const slowClients = {
  title:
    '200 clients with slow headers and 200 with slow bodies: an honest one is answered in under 100 ms, all of them closed',
  async run({ folder, amount, say }) {
    const server = await startServerProcess(join(folder, 'data'));
    const port = Number(new URL(server.url).port);
    const ledger = createLedger();
    const clients = createClients({ ledger, send: server.send });
    await clients.registerAdmin();
    // As many users as it takes to stay below what one of them may have under way.
    for (let count = 0; count < 5; count += 1) await clients.register();
    const [honest, ...others] = [...ledger.state.sessions.values()];
    if (honest === undefined) throw new Error('nobody could register');

    const link = await stored(server.send, honest);
    /** @type {Times} */
    const alone = {};
    for (let time = 0; time < 100; time += 1) add(alone, await askAll(server.send, honest, link));
    const before = tell('alone', alone, say);

    const count = amount(200);
    const slow = Array.from({ length: 2 * count }, (_, index) => {
      const token = others[index % others.length]?.accessToken ?? '';
      return openSlowClient({ port, kind: index < count ? 'headers' : 'body', token });
    });
    let open = slow.length;
    const closed = slow.map(async (client) => {
      const result = await client.closed;
      open -= 1;
      return result;
    });
    await sleep(500);

    /** @type {Times} */
    const times = {};
    const until = performance.now() + CLOSED_BY.body * 1000;
    while (open > 0 && performance.now() < until) {
      add(times, await askAll(server.send, honest, link));
      await sleep(20);
    }
    const meanwhile = tell('beside slow clients', times, say);

    /** @type {string[]} */
    const faults = [];
    for (const [what, p99] of Object.entries(meanwhile)) {
      // A machine that is busy with other things is slow without any slow client.
      const limit = Math.max(HONEST_LIMIT, 2 * (before[what] ?? 0));
      if (p99 > limit) faults.push(`${what} took ${p99} ms at p99, and ${limit} ms are allowed`);
    }
    if (open > 0) faults.push(`${open} slow clients are still connected`);
    for (const client of slow) client.destroy();
    const results = await Promise.all(closed);
    for (const [kind, part] of /** @type {const} */ ([
      ['headers', results.slice(0, count)],
      ['body', results.slice(count)],
    ])) {
      const seconds = part.map((result) => result.seconds).toSorted((a, b) => a - b);
      const answers = new Map();
      for (const { status } of part) answers.set(status, (Number(answers.get(status)) || 0) + 1);
      const told = [...answers].map(([status, number]) => `${number} times ${status ?? 'no answer'}`).join(', ');
      say(`slow ${kind}: closed after ${seconds[0]?.toFixed(1)} to ${seconds.at(-1)?.toFixed(1)} s; ${told}`);
      const late = seconds.filter((each) => each > CLOSED_BY[kind]).length;
      if (late > 0) faults.push(`${late} clients with slow ${kind} were closed later than after ${CLOSED_BY[kind]} s`);
      const unanswered = part.filter(({ status }) => status !== 408).length;
      if (unanswered > 0) faults.push(`${unanswered} clients with slow ${kind} were not told why (408)`);
    }
    await server.kill();
    return { faults, figures: { 'slow clients': slow.length } };
  },
};

/**
 * @param {import('../clients.js').Send} send
 * @param {import('../ledger.js').SessionEntry} session
 */
async function stored(send, session) {
  const upload = raw(uniquePng(20_000));
  upload.headers = { ...upload.headers, ...bearer(session) };
  const answer = await send('/api/images', upload);
  const { url } = /** @type {{ url: string }} */ (await answer.json());
  return new URL(url).pathname;
}

/**
 * @param {import('../clients.js').Send} send
 * @param {import('../ledger.js').SessionEntry} session
 * @param {string} link
 * @returns {Promise<Record<string, number>>} milliseconds
 */
async function askAll(send, session, link) {
  const time = async (/** @type {() => Promise<unknown>} */ work) => {
    const started = performance.now();
    await work();
    return performance.now() - started;
  };
  const get = (/** @type {string} */ path) => async () =>
    (await send(path, { headers: bearer(session) })).arrayBuffer();
  return {
    'GET /api/me': await time(get('/api/me')),
    'GET picture': await time(get(link)),
    'POST picture': await time(() => stored(send, session)),
  };
}

/** Milliseconds of each kind of request. @typedef {Record<string, number[]>} Times */

/**
 * @param {Times} times
 * @param {Record<string, number>} more
 */
function add(times, more) {
  for (const [what, time] of Object.entries(more)) (times[what] ??= []).push(time);
}

/**
 * Prints what a client has waited, and returns the p99 of each kind.
 *
 * @param {string} when
 * @param {Times} times
 * @param {(line: string) => void} say
 */
function tell(when, times, say) {
  /** @type {Record<string, number>} */
  const result = {};
  for (const [what, list] of Object.entries(times)) {
    const sorted = list.toSorted((a, b) => a - b);
    const at = (/** @type {number} */ share) =>
      Math.round((sorted[Math.floor(share * (sorted.length - 1))] ?? 0) * 10) / 10;
    say(`${what}, ${when}: ${sorted.length} answers, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`);
    result[what] = at(0.99);
  }
  return result;
}
