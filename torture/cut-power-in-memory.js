import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClients } from './clients.js';
import { watchDisk } from './watch-disk.js';
import { createLedger } from './ledger.js';
import { findTornFiles } from './torn-files.js';
import { verify } from './verify.js';

/**
 * @typedef {import('./watch-disk.js').Forgotten} Forgotten
 * @typedef {(options: {
 *   data: string, passwordCost: number, minFree: number, accessTtl: number,
 *   uploadLimit: { uploads: number, windowMs: number },
 * }) => Promise<{ fetch: (request: Request) => Response | Promise<Response>, close(): Promise<void> }>} CreateApp
 */

/**
 * Power cuts without a disk to cut: one stretch of mixed load on a disk that takes notes, then the folder as a cut at
 * any of its moments would have left it, and the server started on each.
 *
 * Every other cut comes after a kill: the server is killed first, a new one is asked for everything (as clients do that
 * had no answer), and then the power goes.
 *
 * @param {{
 *   folder: string, createApp: CreateApp, cuts: number, milliseconds: number, ignore?: 'files' | 'folders' | 'both' | null,
 *   random?: () => number,
 * }} options
 */
export async function cutPowerInMemory({ folder, createApp, cuts, milliseconds, ignore = null, random = Math.random }) {
  /** @type {string[]} */
  const faults = [];
  let checked = 0;
  const open = async (/** @type {string} */ data) => {
    const uploadLimit = { uploads: 1_000_000, windowMs: 60_000 };
    const app = await createApp({ data, passwordCost: 4, minFree: 0, accessTtl: 24 * 60 * 60, uploadLimit });
    const send = async (/** @type {string} */ path, /** @type {RequestInit} */ init = {}) =>
      app.fetch(new Request(`http://imgup.test${path}`, init));
    return { send, close: () => app.close() };
  };

  const data = join(folder, 'running');
  await mkdir(data);
  const disk = watchDisk(data, { ignore });
  const ledger = createLedger({ position: disk.position });
  try {
    const app = await open(data);
    const clients = createClients({ ledger, send: app.send, random, pictureBytes: [250, 8000] });
    await clients.registerAdmin();
    const stop = new AbortController();
    const working = clients.work({ signal: stop.signal, atOnce: 8 });
    await sleep(milliseconds);
    stop.abort();
    await working;
    await app.close();
  } finally {
    disk.release();
  }
  faults.push(...ledger.violations);

  for (let cut = 1; cut <= cuts; cut += 1) {
    const position = Math.floor(random() * disk.position());
    /** @type {Forgotten} */
    const forgotten = cut % 4 < 2 ? 'what was not fsynced' : 'some of what was not fsynced';
    const at = join(folder, `cut-${cut}`);
    let what = `cut ${cut} at ${position} of ${disk.position()}, without ${forgotten}`;
    let promised = ledger.stateAt(position);
    if (cut % 2 === 0) {
      await disk.putDown(position, at, forgotten, random);
    } else {
      what = `${what}, after a kill`;
      const killed = join(folder, `kill-${cut}`);
      const start = await disk.putDown(position, killed, 'nothing');
      const second = watchDisk(killed, { start, ignore });
      const later = createLedger({ position: second.position, start: promised });
      try {
        const app = await open(killed);
        const found = await verify({ ledger: later, send: app.send });
        faults.push(...found.lost.map((fault) => `${what}: already before the cut: ${fault}`));
        await app.close();
      } finally {
        second.release();
      }
      const moment = Math.floor(random() * second.position());
      await second.putDown(moment, at, forgotten, random);
      promised = later.stateAt(moment);
    }
    try {
      const app = await open(at);
      const torn = await findTornFiles(at);
      const found = await verify({ ledger: createLedger({ start: promised }), send: app.send });
      await app.close();
      checked += found.checked;
      faults.push(...[...torn, ...found.lost].map((fault) => `${what}: ${fault}`));
    } catch (error) {
      faults.push(`${what}: the server does not start: ${String(error)}`);
    }
  }
  const { acknowledged, unanswered } = ledger.state;
  return { faults, figures: { cuts, acknowledged, unanswered, checked } };
}
