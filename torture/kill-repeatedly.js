import { setTimeout as sleep } from 'node:timers/promises';
import { createClients } from './clients.js';
import { createLedger } from './ledger.js';
import { startServerProcess } from './server-process.js';
import { findTornFiles } from './torn-files.js';
import { forgetGone, verify } from './verify.js';

/** After so many kills, everything is asked for in every way. */
const WHOLE = 20;

/**
 * Kills the server under mixed load, starts it again, and asks for everything that was acknowledged.
 *
 * @param {{ data: string, kills: number, random?: () => number, say?: (line: string) => void }} options
 */
export async function killRepeatedly({ data, kills, random = Math.random, say = () => undefined }) {
  const ledger = createLedger();
  /** @type {string[]} */
  const faults = [];
  /** @type {Map<string, string>} */
  const known = new Map();
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
    const isWhole = kill % WHOLE === 0 || kill === kills;
    const found = await verify({ ledger, send: server.send, ...(isWhole ? {} : { found: known }) });
    if (isWhole) say(`${kill} kills, ${ledger.state.acknowledged} acknowledged, ${faults.length} faults`);
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
