import { join } from 'node:path';
import { createClients } from '../clients.js';
import { createLedger } from '../ledger.js';
import { startServerProcess } from '../server-process.js';
import { straceMissing } from '../strace.js';
import { findTornFiles } from '../torn-files.js';
import { verify } from '../verify.js';

/** Longer than any server here lives. */
const LIMIT = 20_000;

/** @type {import('../main.js').Scenario} */
export const killsAtRenames = {
  title: 'SIGKILL at each of the first 20 renames, and at each of the first 20 fsyncs',
  async run({ folder, amount }) {
    const missing = straceMissing();
    if (missing !== null) return { skipped: missing };
    /** @type {string[]} */
    const faults = [];
    const figures = { kills: 0, acknowledged: 0, unanswered: 0, checked: 0 };
    for (const calls of ['rename,renameat,renameat2', 'fsync']) {
      for (let when = 1; when <= amount(20); when += 1) {
        const data = join(folder, `${calls}-${when}`);
        const what = `at ${calls} ${when}`;
        const found = await killAt(data, calls, when);
        figures.acknowledged += found.acknowledged;
        figures.unanswered += found.unanswered;
        figures.checked += found.checked;
        figures.kills += found.killed ? 1 : 0;
        if (!found.killed) faults.push(`${what}: the server was not killed`);
        faults.push(...found.faults.map((fault) => `${what}: ${fault}`));
      }
    }
    return { faults, figures };
  },
};

/**
 * @param {string} data
 * @param {string} calls
 * @param {number} when
 */
async function killAt(data, calls, when) {
  const ledger = createLedger();
  // Calls are counted by thread, so all of them must come from one.
  const env = { UV_THREADPOOL_SIZE: '1' };
  const inject = `inject=${calls}:signal=SIGKILL:when=${when}`;
  const wrap = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `trace=${calls}`, '-e', inject];
  let killed = true;
  try {
    const server = await startServerProcess(data, { wrap, env });
    const clients = createClients({ ledger, send: server.send });
    const stop = new AbortController();
    const limit = setTimeout(() => {
      killed = false;
      stop.abort();
    }, LIMIT);
    void server.exited.then(() => {
      stop.abort();
    });
    await clients.registerAdmin();
    await clients.work({ signal: stop.signal, atOnce: 4 });
    clearTimeout(limit);
    await server.kill();
  } catch (error) {
    // Killed while it was starting, which is one of the moments to look at.
    if (!(error instanceof Error) || !error.message.startsWith('the server did not start')) throw error;
  }
  const again = await startServerProcess(data);
  try {
    const torn = await findTornFiles(data);
    const { lost, checked } = await verify({ ledger, send: again.send });
    const { acknowledged, unanswered } = ledger.state;
    return { faults: [...torn, ...lost, ...ledger.violations], checked, acknowledged, unanswered, killed };
  } finally {
    await again.kill();
  }
}
