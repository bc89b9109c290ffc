import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClients } from '../clients.js';
import { createLedger } from '../ledger.js';
import { uniquePng } from '../pictures.js';
import { startServerProcess } from '../server-process.js';

const MB = 1024 * 1024;
const BODY = 200 * MB;
const CHUNK = 64 * 1024;

/** What a client under way can be told before it has sent everything, and the server that tells it. */
const REFUSALS = {
  401: { settings: {}, token: 'none', picture: true },
  413: { settings: { maxBytes: MB }, token: 'good', picture: true },
  415: { settings: { maxBytes: 2 * BODY }, token: 'good', picture: false },
  429: {
    settings: { uploadLimit: { uploads: 1, windowMs: 600_000 }, maxBytes: 2 * BODY },
    token: 'good',
    picture: true,
  },
  503: { settings: { maxBytes: 2 * BODY }, token: 'good', picture: true },
  507: { settings: { minFree: Number.MAX_SAFE_INTEGER, maxBytes: 2 * BODY }, token: 'good', picture: true },
};

/** @type {import('../main.js').Scenario} */
export const earlyAnswers = {
  title: 'refusals that a client which is still sending 200 MB can read: curl with and without Expect, and fetch',
  async run({ folder, say }) {
    /** @type {string[]} */
    const faults = [];
    const hasCurl = spawnSync('curl', ['--version']).status === 0;
    if (!hasCurl) say('curl is not here, so fetch alone is tried');
    const file = join(folder, 'body');
    await pipeline(Readable.from(bodyOf(true)), createWriteStream(file));
    let tried = 0;
    for (const [name, { settings, token: kind, picture }] of Object.entries(REFUSALS)) {
      const status = Number(name);
      const server = await startServerProcess(join(folder, name), { settings });
      const ledger = createLedger();
      await createClients({ ledger, send: server.send }).registerAdmin();
      const good = [...ledger.state.sessions.values()][0]?.accessToken ?? '';
      const token = kind === 'good' ? good : '';
      if (status === 429) await server.send('/api/images', uploadOf(uniquePng(1000), good));
      const release = status === 503 ? await occupy(Number(new URL(server.url).port), good) : () => undefined;

      for (const length of ['stated', 'chunked']) {
        // What its length shows to be hopeless is refused for that before anything else is looked at.
        if (length === 'stated' && status === 415) continue;
        const attempts = /** @type {[string, () => Promise<number | string>][]} */ ([
          ['fetch', () => withFetch(server.url, token, picture, length)],
          ...(hasCurl
            ? [
                ['curl', () => withCurl(server.url, token, picture, length, false, file)],
                ['curl with Expect', () => withCurl(server.url, token, picture, length, true, file)],
              ]
            : []),
        ]);
        for (const [client, attempt] of attempts) {
          tried += 1;
          const started = performance.now();
          const answer = await attempt();
          const seconds = (performance.now() - started) / 1000;
          const what = `${client}, ${length} length`;
          if (answer !== status) faults.push(`${what}: ${status} was read as ${answer}`);
          if (seconds > 5) faults.push(`${what}: ${status} took ${seconds.toFixed(1)} s`);
        }
      }
      const isAsked = await asksForBody(Number(new URL(server.url).port), token, picture);
      // To recognise a picture, its first bytes are wanted.
      if (isAsked !== (status === 415)) faults.push(`${status}: "100 Continue" was ${isAsked ? '' : 'not '}sent`);
      release();
      await server.kill();
    }
    return { faults, figures: { tried } };
  },
};

/** @param {Buffer} picture @param {string} token */
function uploadOf(picture, token) {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'image/png' };
  return { method: 'POST', body: picture, headers };
}

/** 200 MB: a picture's start and rubbish, or rubbish alone. @param {boolean} picture */
function* bodyOf(picture) {
  const chunk = Buffer.alloc(CHUNK, 'rubbish');
  if (picture) yield uniquePng(CHUNK);
  for (let sent = 0; sent < BODY; sent += CHUNK) yield chunk;
}

/**
 * @param {string} url
 * @param {string} token
 * @param {boolean} picture
 * @param {string} length
 */
async function withFetch(url, token, picture, length) {
  const source = bodyOf(picture);
  const body =
    length === 'stated'
      ? new Blob([...source])
      : new ReadableStream({
          pull(controller) {
            const { value, done } = source.next();
            if (done === true || value === undefined) controller.close();
            else controller.enqueue(value);
          },
        });
  const headers = { ...(token && { Authorization: `Bearer ${token}` }), 'Content-Type': 'image/png' };
  const init = /** @type {RequestInit} */ ({ method: 'POST', body, headers, duplex: 'half' });
  try {
    const answer = await fetch(`${url}/api/images`, init);
    /** @type {unknown} */
    const problem = await answer.json();
    return typeof problem === 'object' && problem !== null && 'code' in problem ? answer.status : 'no problem';
  } catch (error) {
    const { cause } = /** @type {Error} */ (error);
    return cause instanceof Error ? cause.message : String(error);
  }
}

/**
 * @param {string} url
 * @param {string} token
 * @param {boolean} picture
 * @param {string} length
 * @param {boolean} expect
 * @param {string} file holds the body
 */
async function withCurl(url, token, picture, length, expect, file) {
  const headers = [`Content-Type: image/png`, expect ? 'Expect: 100-continue' : 'Expect:'];
  if (token) headers.push(`Authorization: Bearer ${token}`);
  if (length === 'chunked') headers.push('Transfer-Encoding: chunked');
  const args = [
    '-sS',
    '-X',
    'POST',
    '-T',
    length === 'stated' ? file : '-',
    '--max-time',
    '30',
    '-w',
    '\n%{http_code}',
  ];
  for (const header of headers) args.push('-H', header);
  const curl = spawn('curl', [...args, `${url}/api/images`], { stdio: ['pipe', 'pipe', 'pipe'] });
  // It ends before it has read everything, which is what it is tried for.
  if (length === 'chunked') pipeline(Readable.from(bodyOf(picture)), curl.stdin).catch(() => undefined);
  else curl.stdin.end();
  curl.stdin.on('error', () => undefined);
  const [output, errors] = await Promise.all([text(curl.stdout), text(curl.stderr)]);
  const lines = output.trim().split('\n');
  const isProblem = lines[0]?.startsWith('{"type":"urn:imgup:problem:') === true;
  const code = Number(lines.at(-1));
  return isProblem ? code : `${errors.trim()} ${output}`.trim();
}

/**
 * Whether a client that waits to be asked for its body is.
 *
 * @param {number} port
 * @param {string} token
 * @param {boolean} picture
 */
async function asksForBody(port, token, picture) {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  const head = [
    'POST /api/images HTTP/1.1',
    'Host: imgup.test',
    ...(token ? [`Authorization: Bearer ${token}`] : []),
    `Content-Type: ${picture ? 'image/png' : 'text/plain'}`,
    `Content-Length: ${BODY}`,
    'Expect: 100-continue',
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  const [first] = /** @type {[Buffer]} */ (await once(socket, 'data'));
  socket.destroy();
  return first.toString('latin1').startsWith('HTTP/1.1 100 ');
}

/** Uses up the uploads that a user may have under way. @param {number} port @param {string} token */
async function occupy(port, token) {
  const sockets = Array.from({ length: 64 }, () => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    const head = `POST /api/images HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Length: 20000000\r\n\r\n`;
    socket.write(head);
    const timer = setInterval(() => socket.write(uniquePng(4000)), 500);
    socket.on('close', () => clearInterval(timer));
    return socket;
  });
  await sleep(500);
  return () => {
    for (const socket of sockets) socket.destroy();
  };
}
