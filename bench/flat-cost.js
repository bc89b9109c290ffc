// Does an upload, a read or a page of 50 cost more when there are more pictures or users? npm run bench
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { seed } from './seed.js';

const quick = process.argv.includes('--quick');
const SIZES = quick ? [100, 2000] : [100, 10_000, 100_000];
const USERS = quick ? [100, 1000] : [100, 10_000];
const ROUNDS = quick ? 10 : 60;

/** @param {number} seedOf pictures with different seeds have different bytes */
const pictureOf = (seedOf) =>
  sharp({
    create: { width: 64, height: 48, channels: 3, background: { r: seedOf % 256, g: (seedOf >> 8) % 256, b: 7 } },
  })
    .png()
    .toBuffer();

/** @param {string} data */
async function start(data) {
  const child = spawn(process.execPath, [fileURLToPath(new URL('server.js', import.meta.url)), data], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [url] = await once(createInterface({ input: child.stdout }), 'line');
  return { child, url: /** @type {string} */ (url) };
}

/** @param {{ child: import('node:child_process').ChildProcess }} server */
async function stop({ child }) {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** @param {string} url @param {string} path */
async function account(url, path) {
  const answer = await fetch(url + path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ username: 'ada', password: 'a long enough secret' }),
  });
  const { access_token: token } = /** @type {{ access_token: string }} */ (await answer.json());
  return { Authorization: `Bearer ${token}` };
}

/** @param {{ pictures: number, users: number }} amounts */
async function contender({ pictures, users }) {
  const data = await mkdtemp(join(tmpdir(), 'imgup-bench-'));
  const first = await start(data);
  await account(first.url, '/api/register');
  await stop(first);
  await seed(data, { pictures, users, picture: await pictureOf(0) });
  const began = performance.now();
  const server = await start(data);
  const started = performance.now() - began;
  const headers = await account(server.url, '/api/login');
  const listed = performance.now();
  await (await fetch(`${server.url}/api/images`, { headers })).text();
  return { data, server, headers, pictures, users, started, firstPage: performance.now() - listed };
}

/** @param {() => Promise<unknown>} work milliseconds */
async function time(work) {
  const began = performance.now();
  await work();
  return performance.now() - began;
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

/** @param {number[]} values */
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

/** @param {number | undefined} pid kilobytes at most, as the kernel has it */
function peakMemory(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? NaN);
}

const amounts = [
  ...SIZES.map((pictures) => ({ pictures, users: 1 })),
  ...USERS.map((users) => ({ pictures: 100, users })),
];
console.log(`${cpus().length} cores (${cpus()[0]?.model}), Node ${process.version}, ${ROUNDS} rounds, interleaved\n`);
const contenders = [];
for (const amount of amounts) contenders.push(await contender(amount));
/** @type {{ upload: number[], read: number[], page: number[] }[]} */
const times = contenders.map(() => ({ upload: [], read: [], page: [] }));
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [index, one] of contenders.entries()) {
    const measured = await measure(one, round);
    for (const kind of /** @type {const} */ (['upload', 'read', 'page'])) times[index]?.[kind].push(measured[kind]);
  }
}

console.log(
  '| pictures | users | upload ms | read ms | page of 50 ms | against the first | start ms | first page ms | peak MB |',
);
console.log('|---|---|---|---|---|---|---|---|---|');
const base = times[0];
for (const [index, { pictures, users, started, firstPage, server }] of contenders.entries()) {
  const mine = times[index];
  if (mine === undefined || base === undefined) continue;
  const kinds = /** @type {const} */ (['upload', 'read', 'page']);
  const medians = kinds.map((kind) => median(mine[kind]).toFixed(1));
  // Round by round, so that a slow moment of the machine counts on both sides.
  const ratios = kinds.map((kind) => median(mine[kind].map((value, at) => value / (base[kind][at] ?? NaN))).toFixed(2));
  const row = [pictures, users, ...medians, ratios.join(' / '), started.toFixed(0), firstPage.toFixed(0)];
  console.log(`| ${[...row, (peakMemory(server.child.pid) / 1024).toFixed(0)].join(' | ')} |`);
}
for (const { server, data } of contenders) {
  await stop(server);
  await rm(data, { recursive: true, force: true });
}
