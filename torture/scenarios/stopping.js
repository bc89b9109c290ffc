import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { json, tokensOf } from '../clients.js';
import { uniquePng } from '../pictures.js';

const IMGUP = fileURLToPath(new URL('../../packages/cli/dist/main.cjs', import.meta.url));

/** @type {import('../main.js').Scenario} */
export const stopping = {
  title: 'SIGTERM during uploads: those under way finish, new ones are refused; a second SIGTERM ends it now',
  async run({ folder }) {
    /** @type {string[]} */
    const faults = [];
    const gentle = await serve(join(folder, 'gentle'));
    const token = await register(gentle.url);
    const uploads = Array.from({ length: 4 }, () => startUpload(gentle.url, token));
    const idle = connect(Number(new URL(gentle.url).port), '127.0.0.1');
    idle.on('error', () => undefined);
    await sleep(500);
    const started = performance.now();
    gentle.child.kill('SIGTERM');
    await sleep(300);
    const isRefused = await fetch(`${gentle.url}/healthz`).then(
      () => false,
      () => true,
    );
    if (!isRefused) faults.push('a new connection was taken after SIGTERM');
    for (const upload of uploads) upload.finish();
    const statuses = await Promise.all(uploads.map(({ status }) => status));
    if (statuses.some((status) => status !== 201)) faults.push(`uploads under way were answered ${statuses.join()}`);
    const [code] = await gentle.exited;
    const seconds = (performance.now() - started) / 1000;
    if (code !== 0) faults.push(`the exit code is ${code}`);
    // The connection that was opened and never used is no reason to wait.
    if (seconds > 5) faults.push(`it took ${seconds.toFixed(1)} s to end`);
    idle.destroy();

    const again = await serve(join(folder, 'gentle'));
    const tokens = await login(again.url);
    const hanging = startUpload(again.url, tokens);
    await sleep(500);
    again.child.kill('SIGTERM');
    const stuck = performance.now();
    const [late] = await again.exited;
    const grace = (performance.now() - stuck) / 1000;
    if (late !== 0) faults.push(`the exit code after the time of grace is ${late}`);
    if (grace < 9 || grace > 12) faults.push(`an upload that does not end was waited for ${grace.toFixed(1)} s`);
    await hanging.status;

    const rude = await serve(join(folder, 'gentle'));
    const other = startUpload(rude.url, await login(rude.url));
    await sleep(500);
    rude.child.kill('SIGTERM');
    await sleep(300);
    const second = performance.now();
    rude.child.kill('SIGTERM');
    await rude.exited;
    const ended = (performance.now() - second) / 1000;
    if (ended > 1) faults.push(`after a second SIGTERM it went on for ${ended.toFixed(1)} s`);
    await other.status;
    return {
      faults,
      figures: {
        's to finish 4 uploads and stop': seconds.toFixed(1),
        's of grace': grace.toFixed(1),
        's after the second signal': ended.toFixed(2),
      },
    };
  },
};

/** @param {string} data */
async function serve(data) {
  const child = spawn(process.execPath, [IMGUP, 'serve', '--port', '0', '--data', data], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = /** @type {Promise<[number | null]>} */ (once(child, 'exit'));
  for await (const line of createInterface({ input: child.stderr })) {
    const url = /listening on (http:\S+)/.exec(line)?.[1];
    if (url === undefined) continue;
    child.stderr.resume();
    return { url, child, exited };
  }
  throw new Error('imgup serve has ended');
}

const CREDENTIALS = { username: 'ada', password: 'a long enough secret' };

/** @param {string} url */
async function register(url) {
  return tokensOf(await (await fetch(`${url}/api/register`, json(CREDENTIALS))).text()).accessToken;
}

/** @param {string} url */
async function login(url) {
  return tokensOf(await (await fetch(`${url}/api/login`, json(CREDENTIALS))).text()).accessToken;
}

/**
 * @param {string} url
 * @param {string} token
 */
function startUpload(url, token) {
  const picture = uniquePng(300_000);
  const sent = request(`${url}/api/images`, {
    method: 'POST',
    agent: false,
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'image/png', 'Content-Length': picture.length },
  });
  sent.write(picture.subarray(0, 100_000));
  /** @type {Promise<number | null>} */
  const status = new Promise((resolve) => {
    sent.on('response', (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? null);
    });
    sent.on('error', () => resolve(null));
  });
  return { status, finish: () => sent.end(picture.subarray(100_000)) };
}
