import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bearer, createClients, json, raw } from '../clients.js';
import { createLedger } from '../ledger.js';
import { mountMissing, mountSmallDisk } from '../mounts.js';
import { uniquePng } from '../pictures.js';
import { startServerProcess } from '../server-process.js';
import { findTornFiles } from '../torn-files.js';
import { verify } from '../verify.js';
import { expectRecovery } from './disk-errors.js';

const MB = 1024 * 1024;

/** @type {import('../main.js').Scenario} */
export const fullDisk = {
  title: 'ENOSPC on a disk of 4 MB, without a reserve and with one: refused, nothing lost, and well again by itself',
  async run({ folder }) {
    const missing = mountMissing();
    if (missing !== null) return { skipped: missing };
    /** @type {string[]} */
    const faults = [];
    const figures = { uploads: 0, refused: 0, checked: 0 };
    for (const minFree of [0, MB]) {
      const found = await fill(join(folder, `reserve-${minFree}`), minFree);
      faults.push(...found.faults.map((fault) => `with a reserve of ${minFree} bytes: ${fault}`));
      figures.uploads += found.uploads;
      figures.refused += found.refused;
      figures.checked += found.checked;
    }
    return { faults, figures };
  },
};

/**
 * @param {string} at
 * @param {number} minFree
 */
async function fill(at, minFree) {
  /** @type {string[]} */
  const faults = [];
  const disk = await mountSmallDisk(at, '4m');
  try {
    const data = join(at, 'data');
    const filler = join(at, 'filler');
    await writeFile(filler, Buffer.alloc(MB));
    const ledger = createLedger();
    let server = await startServerProcess(data, { settings: { minFree } });
    const clients = createClients({ ledger, send: server.send, mayFail: true, pictureBytes: [20_000, 100_000] });
    await clients.registerAdmin();
    await clients.register();
    const session = [...ledger.state.sessions.values()].at(-1);
    const user = [...ledger.state.users.values()].at(-1);
    if (session === undefined || user === undefined) throw new Error('nobody could register');

    // To the last block: what is refused for its size may leave room for a smaller one.
    let refused = 0;
    for (const size of [100_000, 20_000, 4000, 400]) {
      for (let isFull = false; !isFull;) {
        const before = ledger.state.unanswered;
        await Promise.all(Array.from({ length: 4 }, () => clients.upload()));
        const upload = raw(uniquePng(size));
        upload.headers = { ...upload.headers, ...bearer(session) };
        const answer = await server.send('/api/images', upload);
        const body = await answer.text();
        isFull = !answer.ok;
        if (!answer.ok) refused += 1;
        if (!answer.ok && answer.status !== 507) faults.push(`an upload was answered ${answer.status} ${body}`);
        refused += ledger.state.unanswered - before;
      }
    }
    const uploads = ledger.state.acknowledged;
    // The look at the disk is good for a second.
    await sleep(1200);
    const ready = await server.send('/readyz');
    if (ready.status !== 507) faults.push(`/readyz is ${ready.status} on a full disk`);
    await ready.text();
    const me = await server.send('/api/me', { headers: bearer(session) });
    if (!me.ok) faults.push(`/api/me was answered ${me.status}`);
    const login = await server.send('/api/login', json({ username: user.name, password: user.password }));
    // The reserve is there so that people can still log in.
    if (minFree > 0 ? !login.ok : ![200, 507].includes(login.status)) faults.push(`a log-in: ${login.status}`);
    for (const { path, presence } of ledger.state.images.values()) {
      if (presence !== 'there') continue;
      const picture = await server.send(path);
      await picture.arrayBuffer();
      if (!picture.ok) faults.push(`a picture was answered ${picture.status}`);
    }

    // Killed and started on the full disk too: reads go on, and nothing is lost.
    await server.kill();
    server = await startServerProcess(data, { settings: { minFree } });
    for (const { path, presence } of ledger.state.images.values()) {
      if (presence !== 'there') continue;
      const picture = await server.send(path);
      await picture.arrayBuffer();
      if (!picture.ok) faults.push(`after a kill, a picture was answered ${picture.status}`);
    }

    await rm(filler);
    faults.push(...(await expectRecovery(server.send)));
    const again = createClients({ ledger, send: server.send, pictureBytes: [250, 2000] });
    for (let count = 0; count < 10; count += 1) await again.upload();
    await server.kill();
    server = await startServerProcess(data, { settings: { minFree } });
    faults.push(...(await findTornFiles(data)));
    const { lost, checked } = await verify({ ledger, send: server.send });
    faults.push(...lost, ...ledger.violations);
    await server.kill();
    return { faults, uploads, refused, checked };
  } finally {
    await disk.unmount();
  }
}
