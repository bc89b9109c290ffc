import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { abortUploads, descriptorsOf, filesBelow } from '../abort-uploads.js';
import { createClients } from '../clients.js';
import { createLedger } from '../ledger.js';
import { startServerProcess } from '../server-process.js';

/** How long the server may take to notice that the last client is gone: what is left for good is left after a minute too. */
const PATIENCE = 60_000;

/** @type {import('../main.js').Scenario} */
export const abortedUploads = {
  title: '1,000 uploads whose client goes away half-way: no more open descriptors or files than before',
  async run({ folder, amount }) {
    const data = join(folder, 'data');
    const server = await startServerProcess(data);
    const port = Number(new URL(server.url).port);
    const ledger = createLedger();
    await createClients({ ledger, send: server.send }).registerAdmin();
    const token = [...ledger.state.sessions.values()][0]?.accessToken ?? '';

    // The first ones load what stays open for good, such as worker threads.
    await abortUploads({ port, token, count: 20 });
    await sleep(1000);
    const before = { files: await filesBelow(data), descriptors: await descriptorsOf(server.pid) };
    const count = amount(1000);
    await abortUploads({ port, token, count });
    const until = performance.now() + PATIENCE;
    let after = before;
    do {
      await sleep(100);
      after = { files: await filesBelow(data), descriptors: await descriptorsOf(server.pid) };
    } while (!isNoMore(before, after) && performance.now() < until);
    await server.kill();
    const figures = {
      aborted: count,
      'descriptors before': `${before.descriptors}`,
      'descriptors after': `${after.descriptors}`,
      'files before': before.files.length,
      'files after': after.files.length,
    };
    return { figures, faults: isNoMore(before, after) ? [] : ['what aborted uploads had opened or written is left'] };
  },
};

/**
 * @typedef {{ files: string[], descriptors: number | null }} Opened
 * @param {Opened} before
 * @param {Opened} after
 */
function isNoMore(before, after) {
  // Fewer where a worker has been idle meanwhile.
  return before.files.join() === after.files.join() && (after.descriptors ?? 0) <= (before.descriptors ?? 0);
}
