import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { account, PASSWORD, startImgup } from '../imgup.js';
import { percentile, ratios, median, table, time } from '../statistics.js';
import { makePicture } from '../make-picture.js';
import { readPicture, whole } from '../picture.js';

const LOG_INS = 50;

/** The user who logs in. */
const CROWD = 'crowd';

/** The cost that a server has by default: what is measured is what it takes. */
const PASSWORD_COST = 12;

/**
 * What requests feel while 50 people log in at once.
 *
 * @param {import('../main.js').Bench} bench
 * @returns {Promise<{ rows: import('../main.js').Row[], tables: string[] }>}
 */
export async function logIns({ folder, quick }) {
  const rounds = quick ? 1 : 3;
  const file = join(folder, 'picture.jpg');
  await makePicture(50_000, file);
  const picture = readPicture(file);
  const server = await startImgup(join(folder, 'data'), { passwordCost: PASSWORD_COST, flags: { verify: 'header' } });
  try {
    const { access_token: token } = await account(server.url, 'ada');
    // Another, whose hundredth log-in ends a session, which must not be the one that uploads.
    await account(server.url, CROWD);
    /** @type {Record<'healthz' | 'uploads', Record<'alone' | 'meanwhile', number[]>>} */
    const p99 = { healthz: { alone: [], meanwhile: [] }, uploads: { alone: [], meanwhile: [] } };
    let number = 0;
    for (let round = 0; round < rounds; round += 1) {
      for (const when of /** @type {const} */ (['alone', 'meanwhile'])) {
        let isOver = false;
        const crowd = Promise.all(
          Array.from({ length: when === 'alone' ? 0 : LOG_INS }, () => logIn(server.url)),
        ).finally(() => (isOver = when === 'meanwhile'));
        // What goes wrong below is what is told, and not that the server has been stopped then.
        crowd.catch(() => undefined);
        const times = { healthz: /** @type {number[]} */ ([]), uploads: /** @type {number[]} */ ([]) };
        const began = performance.now();
        while (when === 'alone' ? performance.now() - began < 6_000 : !isOver) {
          times.healthz.push(await time(async () => (await fetch(`${server.url}/healthz`)).arrayBuffer()));
          times.uploads.push(
            await time(async () => {
              const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'image/jpeg' };
              const body = whole(picture, (number += 1));
              const answer = await fetch(`${server.url}/api/images`, { method: 'POST', headers, body });
              if (answer.status !== 201) throw new Error(`an upload was answered ${answer.status}`);
              await answer.arrayBuffer();
            }),
          );
          await delay(2);
        }
        await crowd;
        for (const what of /** @type {const} */ (['healthz', 'uploads']))
          p99[what][when].push(percentile(times[what], 0.99));
      }
    }
    const what = /** @type {const} */ (['healthz', 'uploads']);
    return {
      rows: what.map((name) => ({
        what: `p99 of ${name} during ${LOG_INS} log-ins at once, against none`,
        value: median(ratios(p99[name].meanwhile, p99[name].alone)),
        target: 1.5,
        unit: 'times the time',
      })),
      tables: [
        `### ${LOG_INS} log-ins at once (bcrypt, cost ${PASSWORD_COST})\n\n${table(
          ['p99', 'alone ms', 'meanwhile ms'],
          what.map((name) => [name, median(p99[name].alone).toFixed(1), median(p99[name].meanwhile).toFixed(1)]),
        )}\n`,
      ],
    };
  } finally {
    await server.stop();
  }
}

/**
 * By a connection of its own: one that is used again may be closed by then, for a round takes minutes.
 *
 * @param {string} url
 * @returns {Promise<void>}
 */
function logIn(url) {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/json' };
    const asked = request(`${url}/api/login`, { method: 'POST', headers, agent: false }, (answer) => {
      answer.resume().on('end', resolve);
    });
    asked.on('error', reject).end(JSON.stringify({ username: CROWD, password: PASSWORD }));
  });
}
