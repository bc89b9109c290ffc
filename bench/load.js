// Sends uploads as fast as a server takes them, and prints what came of it as JSON:
//
//     node load.js '{"url":…,"way":"raw","picture":"picture.jpg","connections":8,"uploads":100,"tokens":[…]}'
//
// Bare sockets and requests that are made once: whatever this costs is time that the server does not have on one core, and
// what limits the fastest server otherwise.
import { createConnection } from 'node:net';
import { readPicture } from './picture.js';

/**
 * @typedef {{
 *   url: string | string[],
 *   way: 'raw' | 'put' | 'multipart' | 'tus',
 *   picture: string,
 *   connections: number,
 *   uploads: number,
 *   tokens?: string[],
 *   first?: number,
 * }} Load
 */

/** @type {Load} */
const load = JSON.parse(process.argv[2] ?? '{}');
/** Connections go to each in turns. */
const servers = [load.url].flat().map((url) => new URL(url));
const { host } = servers[0];
const shared = readPicture(load.picture);
const BOUNDARY = '----imgup-bench';
const before = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n`;
const after = Buffer.from(`\r\n--${BOUNDARY}--\r\n`);

/** @param {number} number @param {string | undefined} token @returns {Buffer[]} what goes over the wire */
function request(number, token) {
  const own = shared.start(number);
  const length = own.length + shared.rest.length;
  const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`;
  /** @param {string} line @param {string} headers */
  const head = (line, headers) => `${line} HTTP/1.1\r\nHost: ${host}\r\n${headers}\r\n`;
  switch (load.way) {
    case 'put':
      return [Buffer.from(head(`PUT /upload/${number}.jpg`, `Content-Length: ${length}\r\n`)), own, shared.rest];
    case 'tus': {
      const headers = `Tus-Resumable: 1.0.0\r\nUpload-Length: ${length}\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: ${length}\r\n`;
      return [Buffer.from(head('POST /upload', headers)), own, shared.rest];
    }
    case 'multipart': {
      const whole = before.length + length + after.length;
      const headers = `Content-Type: multipart/form-data; boundary=${BOUNDARY}\r\nContent-Length: ${whole}\r\n`;
      return [Buffer.from(head('POST /upload', headers) + before), own, shared.rest, after];
    }
    case 'raw': {
      const headers = `${authorization}Content-Type: image/jpeg\r\nContent-Length: ${length}\r\n`;
      return [Buffer.from(head('POST /api/images', headers)), own, shared.rest];
    }
  }
}

let started = load.first ?? 0;
const last = started + load.uploads;
/** @type {number[]} */
const times = [];
/** @type {Record<string, number>} */
const refused = {};

/** One connection, which sends one upload after the other. @param {number} index */
function connection(index) {
  const token = load.tokens?.[index % load.tokens.length];
  return new Promise((resolve, reject) => {
    const { hostname, port } = servers[index % servers.length];
    const socket = createConnection({ host: hostname, port: Number(port), noDelay: true });
    let began = 0;
    let answer = '';
    const next = () => {
      if (started >= last) {
        socket.end();
        resolve(undefined);
        return;
      }
      started += 1;
      answer = '';
      began = performance.now();
      socket.cork();
      for (const part of request(started, token)) socket.write(part);
      socket.uncork();
    };
    socket.on('connect', next);
    socket.on('error', reject);
    socket.on('close', () => resolve(undefined));
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      const end = answer.indexOf('\r\n\r\n');
      if (end === -1) return;
      const head = answer.slice(0, end);
      const [, status = ''] = /^HTTP\/1\.1 (\d{3})/.exec(head) ?? [];
      if (status === '100') {
        answer = answer.slice(end + 4);
        return;
      }
      const length = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? NaN);
      const body = answer.length - end - 4;
      const isWhole = Number.isNaN(length)
        ? /transfer-encoding: *chunked/i.test(head) && answer.endsWith('0\r\n\r\n')
        : body >= length;
      if (!isWhole && status !== '204') return;
      if (status.startsWith('2')) times.push(performance.now() - began);
      else refused[status] = (refused[status] ?? 0) + 1;
      next();
    });
  });
}

const began = performance.now();
await Promise.all(Array.from({ length: load.connections }, (_, index) => connection(index)));
const seconds = (performance.now() - began) / 1000;
const sorted = times.toSorted((a, b) => a - b);
const at = (/** @type {number} */ share) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
console.log(JSON.stringify({ seconds, uploads: times.length, p50: at(0.5), p99: at(0.99), refused }));
