import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createClients, MIXED } from '../clients.js';
import { createLedger } from '../ledger.js';
import { openDisk, powerCutMissing } from '../power-cut-tool.js';
import { startServerProcess } from '../server-process.js';
import { findTornFiles } from '../torn-files.js';
import { verify } from '../verify.js';

const WITHOUT_FSYNC = fileURLToPath(new URL('../without-fsync.js', import.meta.url));

/** The work that goes on when the power is cut. */
const MIXES = {
  pictures: { upload: 10, deleteImage: 2, register: 1 },
  accounts: { ...MIXED, upload: 0, deleteImage: 0 },
};

/** @type {import('../main.js').Scenario} */
export const powerCuts = {
  title: '20 power cuts of a real disk with the server stopped in mid-work, for pictures and for accounts',
  async run({ folder, amount, say, withoutFsync }) {
    const missing = powerCutMissing();
    if (missing !== null) return { skipped: missing };
    /** @type {string[]} */
    const faults = [];
    const figures = { cuts: 0, acknowledged: 0, unanswered: 0, checked: 0 };
    const start =
      withoutFsync === null
        ? {}
        : { nodeOptions: ['--import', WITHOUT_FSYNC], env: { IMGUP_WITHOUT_FSYNC: withoutFsync } };

    for (const [what, mix] of Object.entries(MIXES)) {
      const { disk, cut, end } = await openDisk(join(folder, what));
      const server = await startServerProcess(join(disk, 'data'), start);
      try {
        const ledger = createLedger();
        const clients = createClients({ ledger, send: server.send });
        await clients.registerAdmin();
        const stop = new AbortController();
        const working = clients.work({ signal: stop.signal, mix });
        for (let round = 1; round <= amount(20); round += 1) {
          await sleep(100 + Math.random() * 400);
          server.signal('SIGSTOP');
          // Answers that were sent before the stop arrive yet.
          await sleep(50);
          const promised = structuredClone(ledger.state);
          const after = join(await cut(), 'data');
          figures.cuts += 1;
          faults.push(...(await inspect(after, promised, figures)).map((fault) => `${what}, cut ${round}: ${fault}`));
          server.signal('SIGCONT');
        }
        stop.abort();
        await working;
        faults.push(...ledger.violations);
        figures.acknowledged += ledger.state.acknowledged;
        figures.unanswered += ledger.state.unanswered;
        say(`${what}: ${ledger.state.acknowledged} acknowledged`);
      } finally {
        await server.kill();
        await end();
      }
    }
    return { faults, figures };
  },
};

/**
 * Starts a server on what the cut has left.
 *
 * @param {string} data
 * @param {import('../ledger.js').LedgerState} promised
 * @param {{ checked: number }} figures
 */
async function inspect(data, promised, figures) {
  /** @type {import('../server-process.js').ServerProcess} */
  let server;
  try {
    server = await startServerProcess(data);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
  try {
    const torn = await findTornFiles(data);
    const found = await verify({ ledger: createLedger({ start: promised }), send: server.send });
    figures.checked += found.checked;
    return [...torn, ...found.lost];
  } finally {
    await server.kill();
  }
}
