import { join } from 'node:path';
import { account, startImgup } from '../imgup.js';
import { seed } from '../seed.js';
import { peakMegabytes, resetPeak } from '../server-process.js';
import { median, percentile, table } from '../statistics.js';

const AT_ONCE = 50;

/**
 * Accounts are one file, which each change writes anew: what that costs, and from where on it is too much.
 *
 * @param {import('../main.js').Bench} bench
 * @returns {Promise<{ rows: import('../main.js').Row[], tables: string[] }>}
 */
export async function accounts({ folder, quick, say }) {
  const rounds = quick ? 3 : 10;
  const sizes = quick ? [100, 10_000] : [100, 1_000, 10_000, 30_000, 100_000];
  const lines = [];
  /** @type {Map<number, number>} */
  const p99 = new Map();
  for (const users of sizes) {
    const data = join(folder, `${users}`);
    const first = await startImgup(data);
    await account(first.url, 'ada');
    await first.stop();
    await seed(data, { pictures: 0, users, picture: Buffer.alloc(0) });
    const began = performance.now();
    const server = await startImgup(data);
    const started = performance.now() - began;
    try {
      let sessions = await Promise.all(Array.from({ length: AT_ONCE }, () => account(server.url, 'ada')));
      resetPeak(server.pid);
      const refreshes = [];
      const registrations = [];
      for (let round = -1; round < rounds; round += 1) {
        const times = await Promise.all(sessions.map(({ refresh_token: token }) => refresh(server.url, token)));
        sessions = times.map(({ tokens }) => tokens);
        const registered = performance.now();
        await account(server.url, `new-${round + 1}`);
        if (round < 0) continue;
        refreshes.push(
          percentile(
            times.map(({ ms }) => ms),
            0.99,
          ),
        );
        registrations.push(performance.now() - registered);
      }
      p99.set(users, median(refreshes));
      const peak = peakMegabytes(server.pid).toFixed(0);
      lines.push([users, median(refreshes).toFixed(0), median(registrations).toFixed(0), started.toFixed(0), peak]);
      say(`${users} users`);
    } finally {
      await server.stop();
    }
  }
  const head = ['users', `p99 of ${AT_ONCE} refreshes at once ms`, 'registration ms', 'start ms', 'peak MB'];
  return {
    rows: [
      {
        what: `refresh with 10,000 users, ${AT_ONCE} at once, p99, against 100 users`,
        value: (p99.get(10_000) ?? Number.NaN) / (p99.get(100) ?? Number.NaN),
        target: 3,
        unit: 'times the time',
      },
    ],
    tables: [`### Accounts in one file\n\n${table(head, lines)}\n`],
  };
}

/**
 * @param {string} url
 * @param {string} token
 * @returns {Promise<{ ms: number, tokens: { access_token: string, refresh_token: string } }>}
 */
async function refresh(url, token) {
  const began = performance.now();
  const answer = await fetch(`${url}/api/token/refresh`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ refresh_token: token }),
  });
  const tokens = /** @type {{ access_token: string, refresh_token: string }} */ (await answer.json());
  if (answer.status !== 200) throw new Error(`a refresh was answered ${answer.status}: ${JSON.stringify(tokens)}`);
  return { ms: performance.now() - began, tokens };
}
