import { join } from 'node:path';
import { createClients } from '../clients.js';
import { createLedger } from '../ledger.js';
import { makeReadOnly, mountMissing } from '../mounts.js';
import { startServerProcess } from '../server-process.js';
import { findTornFiles } from '../torn-files.js';
import { verify } from '../verify.js';
import { expectRecovery, expectRefusals } from './disk-errors.js';

/** @type {import('../main.js').Scenario} */
export const readOnlyDisk = {
  title: 'the disk turns read-only under a running server: refused, nothing lost, and well again by itself',
  async run({ folder }) {
    const missing = mountMissing();
    if (missing !== null) return { skipped: missing };
    const data = join(folder, 'data');
    const ledger = createLedger();
    const server = await startServerProcess(data);
    const clients = createClients({ ledger, send: server.send });
    await clients.registerAdmin();
    for (let count = 0; count < 5; count += 1) await clients.register();
    for (let count = 0; count < 10; count += 1) await clients.upload();

    const readOnly = await makeReadOnly(data);
    const faults = await expectRefusals(server.send, ledger.state);
    await readOnly.undo();
    faults.push(...(await expectRecovery(server.send)));
    for (let count = 0; count < 10; count += 1) await clients.upload();
    await server.kill();

    const again = await startServerProcess(data);
    const torn = await findTornFiles(data);
    const { lost, checked } = await verify({ ledger, send: again.send });
    await again.kill();
    const { acknowledged } = ledger.state;
    return { faults: [...faults, ...torn, ...lost, ...ledger.violations], figures: { acknowledged, checked } };
  },
};
