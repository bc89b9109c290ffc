import { connect } from 'node:net';
import { uniquePng } from './pictures.js';

/** Enough for any time that a slow client is borne with. */
const HEADER = Buffer.alloc(1000, 'x');
const PICTURE = uniquePng(100_000);

/**
 * A client that sends a byte a second, of its headers or of a picture, and tells when the server has closed.
 *
 * @param {{ port: number, kind: 'headers' | 'body', token?: string }} options
 */
export function openSlowClient({ port, kind, token = '' }) {
  const started = performance.now();
  const head = [
    'POST /api/images HTTP/1.1',
    'Host: imgup.test',
    `Authorization: Bearer ${token}`,
    'Content-Type: image/png',
    `Content-Length: ${PICTURE.length}`,
  ];
  const first =
    kind === 'headers' ? 'POST /api/images HTTP/1.1\r\nHost: imgup.test\r\nX: ' : `${head.join('\r\n')}\r\n\r\n`;
  const rest = kind === 'headers' ? HEADER : PICTURE;
  let sent = 0;
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('latin1');
  socket.on('data', (/** @type {string} */ text) => {
    answer += text;
  });
  socket.on('error', () => undefined);
  socket.write(first);
  const timer = setInterval(() => {
    if (socket.writable) socket.write(rest.subarray(sent, sent + 1));
    sent += 1;
  }, 1000);

  /** @type {Promise<{ seconds: number, status: number | null }>} */
  const closed = new Promise((resolve) => {
    socket.on('close', () => {
      clearInterval(timer);
      const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1];
      resolve({ seconds: (performance.now() - started) / 1000, status: status === undefined ? null : Number(status) });
    });
  });
  return { closed, destroy: () => socket.destroy() };
}
