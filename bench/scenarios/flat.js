import { join } from 'node:path';
import sharp from 'sharp';
import { account, startImgup } from '../imgup.js';
import { seed } from '../seed.js';
import { peakMegabytes } from '../server-process.js';
import { median, ratios, table, time } from '../statistics.js';

const KINDS = /** @type {const} */ (['upload', 'read', 'page']);

/**
 * Does an upload, a read or a page of 50 cost more when there are more pictures or users? All checks are on.
 *
 * @param {import('../main.js').Bench} bench
 * @returns {Promise<{ rows: import('../main.js').Row[], tables: string[] }>}
 */
export async function flat({ folder, quick, say }) {
  const rounds = quick ? 15 : 60;
  const amounts = [
    ...(quick ? [100, 5_000] : [100, 10_000, 100_000]).map((pictures) => ({ pictures, users: 1 })),
    ...(quick ? [] : [100, 10_000]).map((users) => ({ pictures: 100, users })),
  ];
  const contenders = [];
  try {
    for (const [index, amount] of amounts.entries()) {
      contenders.push(await contender(join(folder, `${index}`), amount));
      say(`${amount.pictures} pictures, ${amount.users} users`);
    }
    const times = contenders.map(() => ({
      upload: /** @type {number[]} */ ([]),
      read: /** @type {number[]} */ ([]),
      page: /** @type {number[]} */ ([]),
    }));
    for (let round = -3; round < rounds; round += 1) {
      for (const index of contenders.keys()) {
        const at = (index + Math.max(0, round)) % contenders.length;
        const one = contenders[at];
        if (one === undefined) continue;
        const measured = await measure(one, round);
        if (round >= 0) for (const kind of KINDS) times[at]?.[kind].push(measured[kind]);
      }
    }
    const [base] = times;
    if (base === undefined) throw new Error('nothing was measured');
    const lines = contenders.map(({ pictures, users, started, firstPage, server }, index) => {
      const mine = times[index] ?? base;
      return [
        pictures,
        users,
        ...KINDS.map((kind) => median(mine[kind]).toFixed(1)),
        KINDS.map((kind) => median(ratios(mine[kind], base[kind])).toFixed(2)).join(' / '),
        started.toFixed(0),
        firstPage.toFixed(0),
        peakMegabytes(server.pid).toFixed(0),
      ];
    });
    const most = amounts.findLastIndex(({ users }) => users === 1);
    const rows = KINDS.map((kind) => ({
      what: `${kind} with ${amounts[most]?.pictures} pictures of one user, against 100`,
      value: median(ratios(times[most]?.[kind] ?? [], base[kind])),
      target: 1.1,
      unit: 'times the time',
    }));
    const head = [
      'pictures',
      'users',
      'upload ms',
      'read ms',
      'page of 50 ms',
      'against the first',
      'start ms',
      'first page ms',
      'peak MB',
    ];
    return { rows, tables: [`### The cost stays flat\n\n${table(head, lines)}\n`] };
  } finally {
    for (const { server } of contenders) await server.stop();
  }
}

/** @param {string} data @param {{ pictures: number, users: number }} amounts */
async function contender(data, { pictures, users }) {
  const first = await startImgup(data);
  await account(first.url, 'ada');
  await first.stop();
  await seed(data, { pictures, users, picture: await pictureOf(0) });
  const began = performance.now();
  const server = await startImgup(data);
  const started = performance.now() - began;
  const { access_token: token } = await account(server.url, 'ada');
  const headers = { Authorization: `Bearer ${token}` };
  const listed = performance.now();
  await (await fetch(`${server.url}/api/images`, { headers })).text();
  return { server, headers, pictures, users, started, firstPage: performance.now() - listed };
}

/** @param {number} seedOf pictures with different seeds have different bytes */
function pictureOf(seedOf) {
  const background = { r: seedOf % 256, g: (seedOf >> 8) % 256, b: 7 };
  return sharp({ create: { width: 64, height: 48, channels: 3, background } })
    .png()
    .toBuffer();
}

/** @param {Awaited<ReturnType<typeof contender>>} one @param {number} round */
async function measure({ server, headers }, round) {
  const picture = await pictureOf(round * 4 + 1000 + Math.floor(Math.random() * 60_000));
  let url = '';
  const upload = await time(async () => {
    const answer = await fetch(`${server.url}/api/images`, { method: 'POST', headers, body: picture });
    ({ url } = /** @type {{ url: string }} */ (await answer.json()));
  });
  const read = await time(async () => (await fetch(url)).arrayBuffer());
  const page = await time(async () => (await fetch(`${server.url}/api/images?limit=50`, { headers })).text());
  return { upload, read, page };
}
