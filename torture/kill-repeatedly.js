import { setTimeout as sleep } from 'node:timers/promises';
import { createClients } from './clients.js';
import { createLedger } from './ledger.js';
import { startServerProcess } from './server-process.js';
import { findTornFiles } from './torn-files.js';
import { forgetGone, verify } from './verify.js';

/**
 * Kills the server under mixed load, starts it again, and asks for everything that was acknowledged.
 *
 * @param {{ data: string, kills: number, random?: () => number }} options
 */
export async function killRepeatedly({ data, kills, random = Math.random }) {
  const ledger = createLedger();
  /** @type {string[]} */
  const faults = [];
  let checked = 0;
  let server = await startServerProcess(data);
  await createClients({ ledger, send: server.send, random }).registerAdmin();

  for (let kill = 1; kill <= kills; kill += 1) {
    const { send } = server;
    const stop = new AbortController();
    const working = createClients({ ledger, send, random }).work({ signal: stop.signal });
    await sleep(80 + random() * 450);
    await server.kill();
    stop.abort();
    await working;

    server = await startServerProcess(data);
    const torn = await findTornFiles(data);
    const found = await verify({ ledger, send: server.send });
    checked += found.checked;
    for (const fault of [...torn, ...found.lost, ...ledger.violations.splice(0)]) {
      faults.push(`after kill ${kill}: ${fault}`);
    }
    forgetGone(ledger, 30);
  }
  await server.stop();
  const { acknowledged, unanswered } = ledger.state;
  return { faults, figures: { kills, acknowledged, unanswered, checked } };
}
