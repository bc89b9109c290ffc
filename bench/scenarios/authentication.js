import { Agent, request } from 'node:http';
import { account, startImgup } from '../imgup.js';
import { median, ratios, spread, table } from '../statistics.js';

/**
 * What a token costs: `GET /api/images/by-digest` of nothing, which needs one, against `GET /api`, which needs none.
 *
 * @param {import('../main.js').Bench} bench
 * @returns {Promise<{ rows: import('../main.js').Row[], tables: string[] }>}
 */
export async function authentication({ folder, quick }) {
  const rounds = quick ? 5 : 15;
  const server = await startImgup(folder);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    const { access_token: token } = await account(server.url, 'ada');
    /** @type {Record<'with' | 'without', number[]>} */
    const times = { with: [], without: [] };
    const headers = { Authorization: `Bearer ${token}` };
    for (let round = -2; round < rounds; round += 1) {
      for (const kind of /** @type {const} */ (['without', 'with'])) {
        const began = performance.now();
        for (let count = 0; count < 1000; count += 1) {
          await get(new URL(kind === 'with' ? '/api/me' : '/api', server.url), agent, kind === 'with' ? headers : {});
        }
        if (round >= 0) times[kind].push(performance.now() - began);
      }
    }
    return {
      rows: [
        {
          what: 'authenticated request (GET /api/me) against an unauthenticated one (GET /api)',
          value: median(ratios(times.with, times.without)),
          target: 1.2,
          unit: 'times the time',
        },
      ],
      tables: [
        `### What a token costs\n\n${table(
          ['request', 'µs'],
          [
            ['GET /api', spread(times.without, 0)],
            ['GET /api/me with a token', spread(times.with, 0)],
          ],
        )}\n`,
      ],
    };
  } finally {
    agent.destroy();
    await server.stop();
  }
}

/** @param {URL} url @param {Agent} agent @param {Record<string, string>} headers @returns {Promise<void>} */
function get(url, agent, headers) {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent, headers }, (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`answered ${answer.statusCode}`));
      answer.resume().on('end', resolve);
    });
    asked.on('error', reject).end();
  });
}
