import { readdir } from 'node:fs/promises';
import { METHODS } from 'node:http';
import { connect } from 'node:net';
import { basename, dirname } from 'node:path';
import fc from 'fast-check';
import { json, tokensOf } from './clients.js';
import { generatedBytes, generatedRequest, TOKENS } from './generated-requests.js';
import { findTornFiles } from './torn-files.js';

const PASSWORD = 'a long enough secret';

/** How long bytes that are nearly HTTP may be left without an answer: the server may wait for the rest of them. */
const SILENCE = 300;

/**
 * Sends generated requests, and bytes that are nearly HTTP, and looks for answers that nothing may cause.
 *
 * @param {{
 *   url: string, data: string, requests: number, streams: number, isProblem: (body: unknown) => boolean,
 * }} options `data` must be alone in its folder
 * @returns {Promise<{ faults: string[], statuses: Map<number, number> }>}
 */
export async function sendGenerated({ url, data, requests, streams, isProblem }) {
  /** @type {string[]} */
  const faults = [];
  /** @type {Map<number, number>} */
  const statuses = new Map();
  const users = ['ada', 'bob'];
  const enter = async (/** @type {string} */ how, /** @type {number} */ index) => {
    const answer = await fetch(`${url}/api/${how}`, json({ username: users[index], password: PASSWORD }));
    if (!answer.ok) throw new Error(`${users[index]} cannot ${how}: ${await answer.text()}`);
    return tokensOf(await answer.text()).accessToken;
  };
  const tokens = [await enter('register', 0), await enter('register', 1)];

  /** @param {number} status @param {string | null} fault @param {unknown} request */
  function judge(status, fault, request) {
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (fault !== null) throw new Error(`${fault}: ${String(request).slice(0, 500)}`);
  }

  const ofRequests = fc.asyncProperty(generatedRequest(), async ({ method, path, headers, body }) => {
    /** @type {RequestInit} */
    const init = { method, redirect: 'manual' };
    let index = -1;
    const filled = new Headers();
    for (const [name, value] of Object.entries(headers)) {
      index = Math.max(
        index,
        TOKENS.findIndex((token) => value === `Bearer ${token}`),
      );
      const real = value.replace(/ACCESS-TOKEN-(\d)/, (_, digit) => tokens[Number(digit)] ?? '');
      filled.set(name, real);
    }
    init.headers = filled;
    // What the parser refuses is answered and closed at once: a client that still sends may miss the answer.
    const hasBody = METHODS.includes(method) && method !== 'GET' && method !== 'HEAD';
    if (body !== null && hasBody) init.body = /** @type {string | Blob | FormData} */ (/** @type {unknown} */ (body));
    const shown = `${method} ${path} ${JSON.stringify(headers)} ${body instanceof FormData ? '(a form)' : String(body)}`;
    const answer = await fetch(url + path, init).catch((/** @type {Error} */ error) => {
      throw new Error(`no answer (${error.cause instanceof Error ? error.cause.message : error.message}): ${shown}`);
    });
    const type = answer.headers.get('content-type');
    const bytes = Buffer.from(await answer.arrayBuffer());
    const text = method === 'HEAD' ? null : bytes.toString();
    judge(answer.status, faultOf({ status: answer.status, type, body: text }, isProblem), shown);
    // Some requests end the session that they come from.
    if (index !== -1 && method !== 'GET' && /^\/api\/(sessions|logout|password)/.test(path)) {
      tokens[index] = await enter('login', index);
    }
  });
  const ofBytes = fc.asyncProperty(generatedBytes, async (bytes) => {
    for (const answer of parseAnswers(await exchangeBytes(Number(new URL(url).port), bytes))) {
      judge(answer.status, faultOf(answer, isProblem), JSON.stringify(bytes.toString('latin1')));
    }
  });
  for (const outcome of [
    await fc.check(ofRequests, { numRuns: requests, endOnFailure: true }),
    await fc.check(ofBytes, { numRuns: streams, endOnFailure: true }),
  ]) {
    if (!outcome.failed) continue;
    faults.push(`${String(outcome.errorInstance)} (seed ${outcome.seed}, path ${outcome.counterexamplePath})`);
  }

  for (const name of await readdir(dirname(data))) {
    if (name !== basename(data)) faults.push(`${name} was written outside of the data folder`);
  }
  faults.push(...(await findTornFiles(data)));
  return { faults, statuses };
}

/**
 * Why an answer is not what any request may expect, or null.
 *
 * @param {{ status: number, type: string | null, body: string | null }} answer `body` is null where there can be none
 * @param {(problem: unknown) => boolean} isProblem
 */
function faultOf({ status, type, body }, isProblem) {
  if (status >= 500) return `${status} ${body}`;
  if (status < 400) return null;
  if (type !== 'application/problem+json') return `${status} as ${type}`;
  if (body === null) return null;
  try {
    const problem = /** @type {{ status: number }} */ (JSON.parse(body));
    return isProblem(problem) && problem.status === status ? null : `${status} with ${body}`;
  } catch {
    return `${status} with ${body}`;
  }
}

/**
 * Sends bytes as they are, and reads until the server closes, or says nothing for long.
 *
 * @param {number} port
 * @param {Uint8Array} bytes
 */
async function exchangeBytes(port, bytes) {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  /** @type {Buffer[]} */
  const received = [];
  socket.on('data', (chunk) => received.push(chunk));
  socket.on('error', () => undefined);
  socket.setTimeout(SILENCE, () => socket.destroy());
  socket.on('end', () => socket.destroy());
  socket.write(bytes);
  await new Promise((resolve) => {
    socket.on('close', resolve);
  });
  return Buffer.concat(received).toString('latin1');
}

/**
 * The answers in what came back, those of 1xx left out.
 *
 * @param {string} received in Latin-1, so that lengths are bytes
 */
function parseAnswers(received) {
  /** @type {{ status: number, type: string | null, body: string | null }[]} */
  const answers = [];
  let rest = received;
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n');
    const head = end === -1 ? rest : rest.slice(0, end);
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
    if (Number.isNaN(status) || end === -1) {
      return [...answers, { status: 599, type: null, body: `this is not HTTP: ${rest.slice(0, 300)}` }];
    }
    rest = rest.slice(end + 4);
    if (status < 200) continue;
    const type = /^content-type: (.*)$/im.exec(head)?.[1]?.trim() ?? null;
    const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? rest.length);
    const isChunked = /^transfer-encoding: chunked$/im.test(head);
    const body = isChunked ? (rest.split('\r\n')[1] ?? '') : rest.slice(0, length);
    rest = isChunked ? '' : rest.slice(length);
    answers.push({ status, type, body });
  }
  return answers;
}
