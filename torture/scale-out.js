import { setTimeout as sleep } from 'node:timers/promises';
import { bearer, createClients, json, raw, tokensOf } from './clients.js';
import { createLedger } from './ledger.js';
import { uniquePng } from './pictures.js';
import { startEngines } from './shared-engines.js';
import { forgetGone, verify } from './verify.js';

/**
 * @typedef {import('./server-process.js').ServerProcess} ServerProcess
 * @typedef {{ faults: string[], figures: Record<string, number | string> }} Outcome
 */

const SERVERS = 3;

/** No user is removed: their pictures may be found for minutes where another server was receiving one (ARCHITECTURE.md). */
const MIX = {
  register: 1,
  login: 2,
  refresh: 6,
  upload: 8,
  read: 6,
  logout: 1,
  revokeAccess: 1,
  endOther: 1,
  deleteImage: 3,
};

/** Longer than any engine needs to start on a machine that does other things too; in milliseconds. */
const PATIENCE = 90_000;

/**
 * Three servers, one database, one store: what must hold exactly across them, and what happens when a part is killed or
 * hangs under mixed load.
 *
 * @param {{ folder: string, rounds: number, say?: (line: string) => void }} options `rounds`: of one kill of each part
 * @returns {Promise<Outcome>}
 */
export async function scaleOut({ folder, rounds, say = () => undefined }) {
  const engines = await startEngines(folder);
  /** @type {Set<ServerProcess>} */
  const running = new Set();
  /** @param {object} [settings] */
  const startServer = async (settings) => {
    const server = await engines.startServer(settings);
    running.add(server);
    return server;
  };
  /** @param {object} [settings] */
  const startAll = (settings) => Promise.all(Array.from({ length: SERVERS }, () => startServer(settings)));
  try {
    const limited = await startAll({ uploadLimit: { uploads: 5, windowMs: 60_000 } });
    const crowd = await sendCrowds(limited);
    await Promise.all(limited.map((server) => server.stop()));
    say(`300 uploads of one user at once over ${SERVERS} servers: ${crowd.admitted} admitted`);
    say(`50 refreshes at once: ${crowd.successors} successor`);

    const servers = await startAll();
    const patient = await registerPatient(servers);
    const killed = await killParts({ engines, servers, patient, startServer, rounds, say });
    const hung = await holdParts({ engines, servers: killed.servers, patient, say });
    return {
      faults: [...crowd.faults, ...killed.faults, ...hung.faults],
      figures: { ...killed.figures, ...hung.figures },
    };
  } finally {
    await Promise.all([...running].map((server) => server.kill()));
    await engines.stop();
  }
}

/** @param {ServerProcess[]} servers whose upload limit is 5 */
async function sendCrowds(servers) {
  const at = (/** @type {number} */ index) => /** @type {ServerProcess} */ (servers[index % servers.length]);
  const registered = await at(0).send('/api/register', json({ username: 'crowd', password: 'a long enough secret' }));
  const tokens = tokensOf(await registered.text());
  const picture = uniquePng(2000);
  const statuses = await Promise.all(
    Array.from({ length: 300 }, async (_, index) => {
      const { headers, ...rest } = raw(picture);
      const answer = await at(index).send('/api/images', { ...rest, headers: { ...headers, ...bearer(tokens) } });
      await answer.arrayBuffer();
      return answer.status;
    }),
  );
  const refreshed = await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      const answer = await at(index).send('/api/token/refresh', json({ refresh_token: tokens.refreshToken }));
      return answer.ok ? tokensOf(await answer.text()).refreshToken : `refused with ${answer.status}`;
    }),
  );
  const admitted = statuses.filter((status) => status < 300).length;
  const others = statuses.filter((status) => status >= 300 && status !== 429);
  const successors = new Set(refreshed).size;
  return {
    admitted,
    successors,
    faults: [
      ...(admitted === 5 ? [] : [`${admitted} of 300 uploads at once were admitted, and not 5`]),
      ...(others.length === 0 ? [] : [`${others.length} of 300 uploads were answered ${[...new Set(others)].join()}`]),
      ...(successors === 1 && refreshed[0]?.startsWith('refused') === false
        ? []
        : [`50 refreshes at once had ${successors} results: ${[...new Set(refreshed)].join()}`]),
    ],
  };
}

/**
 * @param {{
 *   engines: import('./shared-engines.js').Engines,
 *   servers: ServerProcess[],
 *   patient: Patient,
 *   startServer: () => Promise<ServerProcess>,
 *   rounds: number,
 *   say: (line: string) => void,
 * }} options
 */
async function killParts({ engines, servers, patient, startServer, rounds, say }) {
  const { postgres, s3 } = engines;
  const ledger = createLedger();
  /** @type {string[]} */
  const faults = [];
  /** @type {Record<string, number[]>} */
  const recoveries = {};
  let checked = 0;
  let kills = 0;
  let sent = 0;
  /** To one after the other, as a balancer does that has not noticed anything yet. @type {import('./clients.js').Send} */
  const send = (path, init) => {
    sent += 1;
    return /** @type {ServerProcess} */ (servers[sent % servers.length]).send(path, init);
  };
  const clients = createClients({ ledger, send, mayFail: true });
  await clients.registerAdmin();

  /** Each kills a part, and resolves to what starts it again. @type {Record<string, () => Promise<() => Promise<void>>>} */
  const parts = {
    'a server': async () => {
      const at = kills % servers.length;
      await servers[at]?.kill();
      return async () => {
        servers[at] = await startServer();
      };
    },
    PostgreSQL: async () => {
      await postgres.signal('SIGKILL');
      return postgres.start;
    },
    "S3's gateway": async () => {
      await s3.kill();
      return s3.restart;
    },
    'all of S3': async () => {
      await s3.killAll();
      return s3.restartAll;
    },
  };

  for (let round = 1; round <= rounds; round += 1) {
    for (const [name, kill] of Object.entries(parts)) {
      const stop = new AbortController();
      const working = clients.work({ signal: stop.signal, mix: MIX });
      await sleep(500 + Math.random() * 1000);
      const restart = await kill();
      kills += 1;
      await sleep(500 + Math.random() * 1000);
      await restart();
      // Still under load, as everything else is that wants to be well again.
      (recoveries[name] ??= []).push(await untilReady(servers, patient));
      await sleep(300);
      stop.abort();
      await working;
      const found = await verify({ ledger, send });
      checked += found.checked;
      for (const fault of [...found.lost, ...ledger.violations.splice(0)])
        faults.push(`after ${name} was killed: ${fault}`);
      forgetGone(ledger, 30);
    }
    const { acknowledged, unanswered } = ledger.state;
    say(`${kills} kills, ${acknowledged} acknowledged, ${unanswered} not, ${checked} checked, ${faults.length} faults`);
  }
  const figures = Object.entries(recoveries).map(([name, times]) => [
    `s at most until all worked again after ${name} was back`,
    (Math.max(...times) / 1000).toFixed(2),
  ]);
  const { acknowledged } = ledger.state;
  return { servers, faults, figures: { kills, acknowledged, checked, ...Object.fromEntries(figures) } };
}

/**
 * Somebody who uploads and refreshes to see whether that works.
 *
 * @typedef {Awaited<ReturnType<typeof registerPatient>>} Patient
 *
 * @param {ServerProcess[]} servers
 */
async function registerPatient([server]) {
  const account = json({ username: 'patient', password: 'a long enough secret' });
  const registered = await /** @type {ServerProcess} */ (server).send('/api/register', account);
  const tokens = tokensOf(await registered.text());
  return {
    /** @param {ServerProcess} at @param {AbortSignal | null} [signal] */
    upload(at, signal = null) {
      const { headers, ...rest } = raw(uniquePng(2000));
      return at.send('/api/images', { ...rest, headers: { ...headers, ...bearer(tokens) }, signal });
    },
    /** @param {ServerProcess} at @param {AbortSignal | null} [signal] */
    refresh: (at, signal = null) =>
      at.send('/api/token/refresh', { ...json({ refresh_token: tokens.refreshToken }), signal }),
  };
}

/**
 * Milliseconds until each server says that it is ready, stores a picture and refreshes a session.
 *
 * @param {ServerProcess[]} servers
 * @param {Patient} patient
 */
async function untilReady(servers, patient) {
  const began = performance.now();
  const isReady = async (/** @type {ServerProcess} */ server) => {
    const signal = AbortSignal.timeout(15_000);
    const asked = [server.send('/readyz', { signal }), patient.upload(server, signal), patient.refresh(server, signal)];
    const answers = await Promise.all(asked.map((answer) => answer.catch(() => null)));
    await Promise.all(answers.map(async (answer) => answer?.arrayBuffer().catch(() => null)));
    return answers.every((answer) => answer?.ok);
  };
  for (;;) {
    const ready = await Promise.all(servers.map(isReady));
    const taken = performance.now() - began;
    if (ready.every(Boolean)) return taken;
    if (taken > PATIENCE) throw new Error(`not all servers are ready after ${PATIENCE} ms`);
    await sleep(50);
  }
}

/**
 * Engines that take connections and answer nothing: what needs them is 503 in time, and everything else works.
 *
 * @param {{
 *   engines: import('./shared-engines.js').Engines,
 *   servers: ServerProcess[],
 *   patient: Patient,
 *   say: (line: string) => void,
 * }} options
 */
async function holdParts({ engines: { postgres, s3 }, servers, patient, say }) {
  const server = /** @type {ServerProcess} */ (servers[0]);
  const upload = () => patient.upload(server);
  const refresh = () => patient.refresh(server);
  /** @type {[string, () => Promise<Response>, () => unknown, () => unknown][]} */
  const parts = [
    ['S3', upload, s3.pause, s3.resume],
    ['PostgreSQL', refresh, () => postgres.signal('SIGSTOP'), () => postgres.signal('SIGCONT')],
  ];
  /** @type {string[]} */
  const faults = [];
  /** @type {Record<string, string>} */
  const figures = {};
  for (const [name, ask, hold, letGo] of parts) {
    await hold();
    try {
      const began = performance.now();
      const asking = Array.from({ length: 5 }, async () => {
        const answer = await ask();
        await answer.arrayBuffer();
        return { status: answer.status, after: answer.headers.get('retry-after'), ms: performance.now() - began };
      });
      const health = await askHealth(server, 20);
      const answers = await Promise.all(asking);
      const slowest = Math.max(...answers.map(({ ms }) => ms));
      for (const { status, after } of answers) {
        if (status !== 503 || after === null)
          faults.push(`with ${name} stopped, a request was answered ${status}, Retry-After ${after}`);
      }
      if (health.failed > 0) faults.push(`with ${name} stopped, /healthz failed ${health.failed} times`);
      figures[`s until 503 with ${name} stopped`] = (slowest / 1000).toFixed(1);
      figures[`ms for /healthz meanwhile (${name})`] = health.slowest.toFixed(0);
    } finally {
      await letGo();
    }
    const ready = await untilReady(servers, patient);
    say(`${name} stopped and let go: ready again after ${(ready / 1000).toFixed(2)} s`);
  }
  for (const again of [upload, refresh]) {
    const { ok, status } = await again();
    if (!ok) faults.push(`afterwards a request is answered ${status}`);
  }
  return { faults, figures };
}

/** @param {ServerProcess} server @param {number} times */
async function askHealth(server, times) {
  let slowest = 0;
  let failed = 0;
  for (let time = 0; time < times; time += 1) {
    const began = performance.now();
    const answer = await server.send('/healthz', { signal: AbortSignal.timeout(5000) }).catch(() => null);
    await answer?.arrayBuffer();
    if (answer?.ok !== true) failed += 1;
    slowest = Math.max(slowest, performance.now() - began);
    await sleep(50);
  }
  return { slowest, failed };
}
