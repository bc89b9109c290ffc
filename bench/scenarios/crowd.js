import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { account, startImgup } from '../imgup.js';
import { env, peakMegabytes, resetPeak } from '../server-process.js';
import { makePicture } from '../make-picture.js';
import { table } from '../statistics.js';

const run = promisify(execFile);
const LOAD = fileURLToPath(new URL('../load.js', import.meta.url));
const BYTES = 1_000_000;

/** Of one user at once, which the server bounds. */
const OF_ONE_USER = 32;

/**
 * Memory against uploads at once, up to what the server takes.
 *
 * @param {import('../main.js').Bench} bench
 * @returns {Promise<{ rows: import('../main.js').Row[], tables: string[] }>}
 */
export async function crowd({ folder, quick }) {
  const lines = [];
  const picture = join(folder, 'picture.jpg');
  await makePicture(BYTES, picture);
  for (const connections of quick ? [1, 64] : [1, 8, 64, 256, 512]) {
    const server = await startImgup(join(folder, `${connections}`), { flags: { verify: 'header' } });
    try {
      const users = Math.ceil(connections / OF_ONE_USER);
      const accounts = await Promise.all(
        Array.from({ length: users }, (_, user) => account(server.url, `user-${user}`)),
      );
      const tokens = accounts.map(({ access_token: token }) => token);
      const load = { url: server.url, way: 'raw', picture, connections: 1, uploads: 10, tokens };
      await run(process.execPath, [LOAD, JSON.stringify(load)], { env });
      resetPeak(server.pid);
      const idle = peakMegabytes(server.pid);
      const all = { ...load, connections, uploads: Math.max(200, connections * 2), first: 10 };
      const { stdout } = await run(process.execPath, [LOAD, JSON.stringify(all)], { env });
      const { uploads, seconds, p99, refused } = JSON.parse(stdout);
      const told = Object.entries(refused).map(([status, count]) => `${count} × ${status}`);
      const over = (peakMegabytes(server.pid) - idle).toFixed(0);
      lines.push([connections, (uploads / seconds).toFixed(0), p99.toFixed(0), over, told.join(', ') || 'none']);
    } finally {
      await server.stop();
    }
  }
  const head = ['uploads at once', 'uploads/s', 'p99 ms', 'memory over idle MB', 'refused'];
  return { rows: [], tables: [`### Uploads of 1 MB at once\n\n${table(head, lines)}\n`] };
}
