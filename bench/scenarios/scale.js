import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startPostgres, whyNoPostgres } from '../../packages/server/test/postgres-server.js';
import { hasRadosgw, MISSING_RADOSGW, S3_CREDENTIALS, startRadosgw } from '../../scripts/radosgw.js';
import { account, startImgup } from '../imgup.js';
import { makePicture } from '../make-picture.js';
import { cpuSeconds, env } from '../server-process.js';
import { median, spread, table } from '../statistics.js';

const run = promisify(execFile);
const LOAD = fileURLToPath(new URL('../load.js', import.meta.url));

/**
 * @typedef {{ name: string, urls: string[], tokens: string[], pids: Record<Part, number[]> }} Setup
 * @typedef {'servers' | 'PostgreSQL' | 'S3'} Part
 * @typedef {{ rate: number, p50: number, p99: number, busy: number, cpu: Record<Part, number> }} Measured
 */

/** In all, however many servers there are. */
const CONNECTIONS = 12;
const USERS = 8;
const WARM_UP = 40;

/**
 * One, two and three servers on one PostgreSQL and one S3 engine, next to the embedded default, all on the same cores.
 *
 * @param {import('../main.js').Bench} bench
 * @returns {Promise<{ rows: import('../main.js').Row[], tables: string[] }>}
 */
export async function scale({ folder, quick, say }) {
  const missing = hasRadosgw() ? await whyNoPostgres() : MISSING_RADOSGW;
  if (missing !== null) {
    say(`skipped: ${missing}`);
    return { rows: [], tables: [] };
  }
  // What is acknowledged survives a power cut, as it does in a data folder.
  const postgres = await startPostgres({ fsync: true });
  const s3 = await startRadosgw({ store: 'bluestore' });
  // Servers are given the environment that this module exports.
  Object.assign(env, S3_CREDENTIALS);
  const rounds = quick ? 1 : 2;
  const kinds = quick
    ? [{ bytes: 50_000, verify: 'full', uploads: 120 }]
    : [
        { bytes: 50_000, verify: 'full', uploads: 300 },
        { bytes: 1_000_000, verify: 'full', uploads: 120 },
      ];
  const tables = [];
  try {
    for (const { bytes, verify, uploads } of kinds) {
      const picture = join(folder, `${bytes}.jpg`);
      await makePicture(bytes, picture);
      const { setups, stop } = await startSetups(verify);
      try {
        /** @type {Map<string, Measured[]>} */
        const results = new Map(setups.map(({ name }) => [name, []]));
        let first = 0;
        for (const setup of setups) {
          await measure(setup, { picture, uploads: WARM_UP, first });
          first += WARM_UP;
        }
        for (let round = 0; round < rounds; round += 1) {
          for (const setup of setups) {
            results.get(setup.name)?.push(await measure(setup, { picture, uploads, first }));
            first += uploads;
          }
          say(`${bytes / 1000} KB, --verify ${verify}, round ${round + 1} of ${rounds}`);
        }
        tables.push(describe(results, { bytes, verify }));
      } finally {
        await stop();
      }
    }
  } finally {
    await s3.stop();
    await postgres.stop();
  }
  return { rows: [], tables };

  /** @param {string} verify */
  async function startSetups(verify) {
    const secret = randomBytes(32).toString('hex');
    // All rounds within the life of one token.
    const settings = { verify, 'access-ttl': '15m' };
    const shared = { ...settings, accounts: postgres.url, images: s3.url() };
    const start = (/** @type {Record<string, string>} */ flags) =>
      startImgup(join(folder, `data-${randomBytes(4).toString('hex')}`), { flags, secret }, { anyCore: true });
    const embedded = await start(settings);
    const servers = [await start(shared), await start(shared), await start(shared)];
    const tokensAt = async (/** @type {string} */ url) => {
      const users = Array.from({ length: USERS }, (_, user) => account(url, `user-${user}`));
      return (await Promise.all(users)).map(({ access_token: token }) => token);
    };
    const tokens = await tokensAt(servers[0]?.url ?? '');
    const nobody = { PostgreSQL: [], S3: [] };
    /** @type {Setup[]} */
    const setups = [
      {
        name: 'embedded',
        urls: [embedded.url],
        tokens: await tokensAt(embedded.url),
        pids: { servers: [embedded.pid], ...nobody },
      },
      ...servers.map((_, index) => {
        const some = servers.slice(0, index + 1);
        const pids = { servers: some.map(({ pid }) => pid), PostgreSQL: postgres.pids().slice(0, 1), S3: s3.pids() };
        const name = `${some.length} ${some.length === 1 ? 'server' : 'servers'} on engines`;
        return { name, urls: some.map(({ url }) => url), tokens, pids };
      }),
    ];
    return { setups, stop: () => Promise.all([embedded, ...servers].map((server) => server.stop())) };
  }
}

/**
 * @param {Setup} setup
 * @param {{ picture: string, uploads: number, first: number }} what
 * @returns {Promise<Measured>}
 */
async function measure({ name, urls, tokens, pids }, { picture, uploads, first }) {
  const load = { url: urls, way: 'raw', picture, connections: CONNECTIONS, uploads, tokens, first };
  const parts = /** @type {[Part, number[]][]} */ (Object.entries(pids));
  const spent = () => parts.map(([, some]) => some.reduce((sum, pid) => sum + cpuSeconds(pid), 0));
  const before = spent();
  const idleBefore = idleSeconds();
  const { stdout } = await run(process.execPath, [LOAD, JSON.stringify(load)], { env });
  const { seconds, uploads: done, p50, p99, refused } = JSON.parse(stdout);
  if (done !== uploads) throw new Error(`${name} took ${done} of ${uploads}: ${JSON.stringify(refused)}`);
  const busy = 1 - (idleSeconds() - idleBefore) / (seconds * cpus().length);
  const each = spent().map((after, index) => ((after - (before[index] ?? 0)) * 1000) / uploads);
  const cpu = /** @type {Record<Part, number>} */ (
    Object.fromEntries(parts.map(([part], index) => [part, each[index]]))
  );
  return { rate: uploads / seconds, p50, p99, busy: Math.max(0, busy), cpu };
}

/** Of all cores together, since the machine was started. */
function idleSeconds() {
  return cpus().reduce((sum, { times }) => sum + times.idle / 1000, 0);
}

/** @param {Map<string, Measured[]>} results @param {{ bytes: number, verify: string }} what */
function describe(results, { bytes, verify }) {
  const lines = [...results].map(([name, all]) => {
    const of = (/** @type {(one: Measured) => number} */ pick) => all.map(pick);
    const cpu = (/** @type {Part} */ part) => median(of((one) => one.cpu[part]));
    const each = [cpu('servers'), cpu('PostgreSQL'), cpu('S3')];
    return [
      name,
      spread(
        of(({ rate }) => rate),
        0,
      ),
      median(of(({ p50 }) => p50)).toFixed(0),
      median(of(({ p99 }) => p99)).toFixed(0),
      ...each.map((ms) => ms.toFixed(1)),
      `${(median(of(({ busy }) => busy)) * 100).toFixed(0)} %`,
      ((cpus().length * 1000) / each.reduce((sum, ms) => sum + ms, 0)).toFixed(0),
    ];
  });
  const head = ['', 'uploads/s', 'p50 ms', 'p99 ms', 'servers', 'PostgreSQL', 'S3', 'cores busy', 'ceiling/s'];
  const title = `### Uploads of ${bytes / 1000} KB over several servers (--verify ${verify}), ${CONNECTIONS} at once`;
  const note = `CPU in ms an upload, by part. All parts and the client share ${cpus().length} cores, so another server adds what it finds idle, and nothing where they are busy; the ceiling is what these cores could do if the parts had them to themselves. Acknowledged is what survives a power cut (fsync), in each.`;
  return `${title}\n\n${table(head, lines)}\n\n${note}\n`;
}
