import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { uniquePng } from './pictures.js';

/** How many clients go away at the same time. */
const AT_ONCE = 40;

/**
 * Sends the start of many uploads, raw and multipart, each up to a random byte, and then goes away, by FIN or RST.
 *
 * @param {{ port: number, token: string, count: number, random?: () => number }} options
 */
export async function abortUploads({ port, token, count, random = Math.random }) {
  let left = count;
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      await abortOne(left % 2 === 0);
    }
  };

  /** @param {boolean} isMultipart */
  async function abortOne(isMultipart) {
    const picture = uniquePng(Math.floor(300 + random() * 700_000));
    const form = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n';
    const type = isMultipart ? 'multipart/form-data; boundary=b' : 'image/png';
    const body = isMultipart ? Buffer.concat([Buffer.from(form), picture, Buffer.from('\r\n--b--\r\n')]) : picture;
    const head = [
      'POST /api/images HTTP/1.1',
      'Host: imgup.test',
      `Authorization: Bearer ${token}`,
      `Content-Type: ${type}`,
      `Content-Length: ${body.length}`,
    ];
    const whole = Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);
    // Never the last byte, so that nothing is ever stored.
    const cut = Math.floor(random() * (whole.length - 1));
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(whole.subarray(0, cut));
    await sleep(random() * 30);
    if (random() < 0.5) socket.resetAndDestroy();
    else socket.destroy();
  }

  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/**
 * Every file of the server, sorted.
 *
 * @param {string} data
 */
export async function filesBelow(data) {
  const entries = await readdir(data, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

/**
 * Open descriptors of a process; null where the system does not tell.
 *
 * @param {number} pid
 */
export async function descriptorsOf(pid) {
  return readdir(`/proc/${pid}/fd`).then(
    (all) => all.length,
    () => null,
  );
}
