import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { account, startImgup } from '../imgup.js';
import { cpuSeconds, env, peakMegabytes, resetPeak, startNginx, startNode } from '../server-process.js';
import { makePicture } from '../make-picture.js';
import { median, ratios, spread, table } from '../statistics.js';

const run = promisify(execFile);
const LOAD = fileURLToPath(new URL('../load.js', import.meta.url));

/**
 * @typedef {import('../main.js').Row} Row
 * @typedef {import('../main.js').Bench} Bench
 * @typedef {{
 *   name: string,
 *   does: string,
 *   way: 'raw' | 'put' | 'multipart' | 'tus',
 *   start: (folder: string) => Promise<import('../server-process.js').ServerProcess | null>,
 *   tokens?: (url: string) => Promise<string[]>,
 *   slower?: number,
 * }} Contender
 *   `slower`: how many times fewer uploads are enough to measure it
 * @typedef {{ rate: number, p50: number, p99: number, cpu: number, peak: number }} Measured
 */

/** Users that upload, for the bound of 64 uploads at once of one user. */
const USERS = 8;

/** @param {string} url */
async function tokens(url) {
  const accounts = await Promise.all(Array.from({ length: USERS }, (_, user) => account(url, `user-${user}`)));
  return accounts.map(({ access_token: token }) => token);
}

/** @type {Contender[]} */
const CONTENDERS = [
  {
    name: 'nginx PUT',
    does: 'writes the body to a file; no limit, no digest, no fsync, no accounts',
    way: 'put',
    start: startNginx,
  },
  {
    name: 'Fastify',
    does: '@fastify/multipart, streamed to a file; no digest, no fsync, no accounts',
    way: 'multipart',
    start: (folder) => startNode('contenders/fastify.js', [folder]),
  },
  {
    name: 'Express',
    does: 'multer, streamed to a file; no digest, no fsync, no accounts',
    way: 'multipart',
    start: (folder) => startNode('contenders/express.js', [folder]),
  },
  {
    name: 'tus',
    does: '@tus/server, one request an upload, a file and its description; no digest, no fsync, no accounts',
    way: 'tus',
    start: (folder) => startNode('contenders/tus.js', [folder]),
  },
  {
    name: 'floor',
    does: 'bare node:http: the body to a file, digest, one fsync; no limit, no accounts, no record',
    way: 'put',
    start: (folder) => startNode('contenders/floor.js', [folder]),
  },
  {
    name: 'imgup, header',
    does: 'imgup with --verify header: token, upload limit, digest, type, metadata stripped, record, all fsynced',
    way: 'raw',
    start: (folder) => startImgup(join(folder, 'data'), { flags: { verify: 'header' } }),
    tokens,
  },
  {
    name: 'imgup',
    does: 'imgup as it is by default: all that, every frame decoded, and the first small version made',
    way: 'raw',
    start: (folder) => startImgup(join(folder, 'data')),
    tokens,
    slower: 10,
  },
];

/** Uploads of the smallest size that each server takes before it is measured: servers run for days, and are compiled by then. */
const WARM_UP = 3000;
const WARM_UP_AT_ONCE = 8;

const KB = 1000;
const MB = 1000 * KB;

/** At most so many bytes a run, which have to be written and freed again. */
const BYTES_A_RUN = 300 * MB;

/** @param {Bench} bench @returns {Promise<{ rows: Row[], tables: string[] }>} */
export async function receive({ folder, quick, say }) {
  const sizes = [50 * KB, MB, 20 * MB];
  const atOnce = quick ? [8] : [1, 8, 64];
  const rounds = quick ? 2 : 3;
  const started = [];
  // In a hurry, without those that no target is set against.
  for (const contender of CONTENDERS.filter(({ name }) => !quick || !['Express', 'tus'].includes(name))) {
    const own = await mkdtemp(join(folder, 'contender-'));
    await mkdir(join(own, 'upload'), { recursive: true });
    const server = await contender.start(own);
    if (server === null) say(`skipped: ${contender.name}; install it`);
    else
      started.push({
        contender,
        server,
        folder: own,
        tokens: await contender.tokens?.(server.url),
        emptied: new Set(),
      });
  }
  const contenders = started.map(({ contender }) => `- **${contender.name}**: ${contender.does}`).join('\n');

  /** @type {Map<string, Measured[]>} */
  const results = new Map();
  let number = 0;
  /** @param {typeof started[number]} one @param {number} bytes @param {number} connections @param {number} uploads */
  async function send({ contender, server, tokens: all }, bytes, connections, uploads) {
    const { way } = contender;
    const load = {
      url: server.url,
      way,
      picture: pictureFile(bytes),
      connections,
      uploads,
      tokens: all,
      first: number,
    };
    number += uploads;
    // The server has the first core to itself.
    const { stdout } = await run('taskset', ['-c', '1', process.execPath, LOAD, JSON.stringify(load)], { env });
    const { uploads: done, refused, ...figures } = JSON.parse(stdout);
    if (done !== uploads) throw new Error(`${contender.name} took ${done} of ${uploads}: ${JSON.stringify(refused)}`);
    return { ...figures, rate: done / figures.seconds };
  }

  const pictureFile = (/** @type {number} */ bytes) => join(folder, `${bytes}.jpg`);
  try {
    for (const bytes of sizes) await makePicture(bytes, pictureFile(bytes));
    const warmUp = quick ? WARM_UP / 10 : WARM_UP;
    for (const one of started) {
      await send(one, sizes[0] ?? 0, WARM_UP_AT_ONCE, Math.floor(warmUp / (one.contender.slower ?? 1)));
      await empty(one);
    }
    say('warm');
    for (const bytes of sizes) {
      for (const connections of atOnce) {
        const uploads = Math.max(connections, Math.min(quick ? 200 : 800, Math.floor(BYTES_A_RUN / bytes)));
        for (let round = -1; round < rounds; round += 1) {
          // Each round begins with another, so that none always follows the same.
          const order = started.map((_, index) => started[(index + Math.max(0, round)) % started.length]);
          for (const one of order) {
            if (one === undefined) continue;
            const { contender, server } = one;
            const { slower = 1 } = contender;
            // The first round is for the pages that the system gives a process, and not counted.
            const many = round < 0 ? 2 * connections : Math.max(connections, Math.floor(uploads / slower));
            resetPeak(server.pid);
            const before = cpuSeconds(server.pid);
            const { rate, p50, p99 } = await send(one, bytes, connections, many);
            const cpu = ((cpuSeconds(server.pid) - before) * 1e9) / (many * bytes);
            const measured = { rate, p50, p99, cpu, peak: peakMegabytes(server.pid) };
            await empty(one);
            if (round < 0) continue;
            const key = keyOf(contender.name, bytes, connections);
            results.set(key, [...(results.get(key) ?? []), measured]);
          }
        }
        say(`${name(bytes)}, ${connections} at once`);
      }
    }
  } finally {
    for (const { server } of started) await server.stop();
  }

  const rates = (/** @type {string} */ who, /** @type {number} */ bytes, /** @type {number} */ connections) =>
    (results.get(keyOf(who, bytes, connections)) ?? []).map(({ rate }) => rate);
  const tables = [`### Receiving uploads\n\n${contenders}\n`];
  for (const bytes of sizes) {
    for (const connections of atOnce) {
      const fastify = rates('Fastify', bytes, connections);
      const lines = started.map(({ contender }) => {
        const mine = results.get(keyOf(contender.name, bytes, connections)) ?? [];
        const pick = (/** @type {keyof Measured} */ what) => mine.map((one) => one[what]);
        return [
          contender.name,
          spread(pick('rate'), 0),
          spread(ratios(pick('rate'), fastify)),
          median(pick('p50')).toFixed(1),
          median(pick('p99')).toFixed(1),
          median(pick('cpu')).toFixed(2),
          median(pick('peak')).toFixed(0),
        ];
      });
      const head = ['', 'uploads/s', 'against Fastify', 'p50 ms', 'p99 ms', 'CPU s/GB', 'peak MB'];
      tables.push(`**${name(bytes)}, ${connections} at once**\n\n${table(head, lines)}\n`);
    }
  }

  /** @type {Row[]} */
  const rows = [];
  const against = (
    /** @type {string} */ who,
    /** @type {number} */ bytes,
    /** @type {number} */ connections,
    /** @type {number} */ target,
  ) => {
    const theirs = rates(who, bytes, connections);
    if (theirs.length === 0) return;
    const value = median(ratios(rates('imgup, header', bytes, connections), theirs));
    const what = `receive path against ${who}, ${name(bytes)}, ${connections} at once`;
    rows.push({ what, value, target, atLeast: true, unit: 'times the rate' });
  };
  for (const connections of [8, 64]) {
    against('Fastify', 50 * KB, connections, 1.2);
    against('Fastify', MB, connections, 1.5);
    against('Fastify', 20 * MB, connections, 1.5);
    against('nginx PUT', 50 * KB, connections, 0.5);
    against('nginx PUT', MB, connections, 0.4);
    against('nginx PUT', 20 * MB, connections, 0.25);
  }
  return { rows, tables };
}

/** @param {string} who @param {number} bytes @param {number} connections */
function keyOf(who, bytes, connections) {
  return `${who} ${bytes} ${connections}`;
}

/** @param {number} bytes */
function name(bytes) {
  return bytes < MB ? `${bytes / KB} KB` : `${bytes / MB} MB`;
}

/**
 * Frees the disk of what was uploaded, not counted. Files are emptied and not removed: for minutes after many were
 * removed, ext4 without a journal passes over their inodes one by one for each file that is made in that place
 * (`recently_deleted` in fs/ext4/ialloc.c), and all contenders would be measured by that.
 *
 * @param {{ contender: Contender, folder: string, emptied: Set<string> }} one
 */
async function empty({ contender, folder, emptied }) {
  const uploads = contender.way === 'raw' ? join(folder, 'data', 'images') : folder;
  for (const entry of await readdir(uploads, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || emptied.has(path) || isNoUpload(path)) continue;
    emptied.add(path);
    await truncate(path);
  }
}

/** nginx's own files, records, digest pointers. @param {string} path */
function isNoUpload(path) {
  return /(?:\.conf|\.json|\/pid|\/by-digest\/\w+)$/.test(path);
}
