import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { account, startImgup } from '../imgup.js';
import { env, peakMegabytes, resetPeak, startNode } from '../server-process.js';
import { makePicture } from '../make-picture.js';
import { table } from '../statistics.js';

const run = promisify(execFile);
const LOAD = fileURLToPath(new URL('../load.js', import.meta.url));
const BYTES = 20_000_000;
const AT_ONCE = 64;

/**
 * What 64 uploads of 20 MB at once take over what the server takes when it has nothing to do.
 *
 * @param {import('../main.js').Bench} bench
 * @returns {Promise<{ rows: import('../main.js').Row[], tables: string[] }>}
 */
export async function memory({ folder }) {
  const lines = [];
  const picture = join(folder, 'picture.jpg');
  await makePicture(BYTES, picture);
  let ours = Number.NaN;
  for (const name of ['imgup, header', 'Fastify']) {
    const own = join(folder, name);
    await mkdir(own, { recursive: true });
    const isOurs = name !== 'Fastify';
    const server = isOurs
      ? await startImgup(own, { flags: { verify: 'header' } })
      : await startNode('contenders/fastify.js', [own]);
    try {
      const tokens = isOurs ? [(await account(server.url, 'ada')).access_token] : undefined;
      const load = {
        url: server.url,
        way: isOurs ? 'raw' : 'multipart',
        picture,
        connections: 1,
        uploads: 1,
        tokens,
      };
      await run(process.execPath, [LOAD, JSON.stringify(load)], { env });
      resetPeak(server.pid);
      const idle = peakMegabytes(server.pid);
      const all = { ...load, connections: AT_ONCE, uploads: AT_ONCE, first: 1 };
      await run(process.execPath, [LOAD, JSON.stringify(all)], { env, maxBuffer: 1e8 });
      const over = peakMegabytes(server.pid) - idle;
      lines.push([name, idle.toFixed(0), over.toFixed(0)]);
      if (isOurs) ours = over;
    } finally {
      await server.stop();
    }
  }
  return {
    rows: [{ what: 'peak memory over idle, 64 uploads of 20 MB at once', value: ours, target: 64, unit: 'MB' }],
    tables: [`### Memory of 64 uploads of 20 MB at once\n\n${table(['', 'idle MB', 'over idle MB'], lines)}\n`],
  };
}
