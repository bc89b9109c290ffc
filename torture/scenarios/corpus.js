import { join } from 'node:path';
import { createClients } from '../clients.js';
import { createLedger } from '../ledger.js';
import { startServerProcess } from '../server-process.js';
import { findCorpus, uploadCorpus } from '../upload-corpus.js';
import { watchMemory } from '../watch-memory.js';

/** What a small machine has, and what a person waits for. */
const MOST_MEMORY = 700e6;
const LONGEST = 2000;

/** @type {import('../main.js').Scenario} */
export const corpus = {
  title: 'every file of the corpus uploaded, raw and as a form',
  async run({ folder, say }) {
    const source = findCorpus();
    if (source === null) return { skipped: 'there is no corpus beside the checkout, and IMGUP_CORPUS names none' };
    const server = await startServerProcess(join(folder, 'data'));
    try {
      const ledger = createLedger();
      const clients = createClients({ ledger, send: server.send });
      await clients.registerAdmin();
      await clients.register();
      const [first, second] = [...ledger.state.sessions.values()];
      const tokens = /** @type {[string, string]} */ ([first?.accessToken, second?.accessToken]);
      const peakMemory = watchMemory(server.pid);
      const { faults, table, slowest, files } = await uploadCorpus({ folder: source, send: server.send, tokens });
      const memory = peakMemory();
      for (const [expected, row] of [...table].toSorted(([a], [b]) => a.localeCompare(b))) {
        const verdicts = [...row].toSorted(([, a], [, b]) => b - a).map(([verdict, count]) => `${count} ${verdict}`);
        say(`${expected}: ${verdicts.join(', ')}`);
      }
      say(`slowest: ${slowest.file}, ${slowest.milliseconds} ms`);
      say(`most memory of the server and its decoders: ${Math.round(memory / 1e6)} MB`);
      if (slowest.milliseconds > LONGEST) faults.push(`${slowest.file} took ${slowest.milliseconds} ms`);
      if (memory > MOST_MEMORY) faults.push(`the server took ${Math.round(memory / 1e6)} MB of memory`);
      const crashed = await Promise.race([server.exited, server.send('/healthz').then(() => null)]);
      if (crashed !== null) faults.push('the server has crashed');
      return {
        faults,
        figures: { files, uploads: 2 * files, slowest: slowest.milliseconds, megabytes: Math.round(memory / 1e6) },
      };
    } finally {
      // Its files are removed next, after a failure too.
      await server.kill();
    }
  },
};
