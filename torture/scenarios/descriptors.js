import { spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClients } from '../clients.js';
import { createLedger } from '../ledger.js';
import { startServerProcess } from '../server-process.js';
import { findTornFiles } from '../torn-files.js';
import { verify } from '../verify.js';
import { expectRecovery } from './disk-errors.js';

/** @type {import('../main.js').Scenario} */
export const descriptors = {
  title: '200 connections to a server that may open 40 files: nothing lost, and well again by itself',
  async run({ folder, amount }) {
    if (spawnSync('prlimit', ['--version']).status !== 0) return { skipped: 'there is no prlimit here' };
    const data = join(folder, 'data');
    const ledger = createLedger();
    const server = await startServerProcess(data);
    const { port } = new URL(server.url);
    const clients = createClients({ ledger, send: server.send, mayFail: true });
    await clients.registerAdmin();
    for (let count = 0; count < 3; count += 1) await clients.register();

    // The soft limit alone, which may be raised again.
    const limit = (/** @type {number} */ files) =>
      spawnSync('prlimit', ['--pid', `${server.pid}`, `--nofile=${files}:`]);
    limit(40);
    const sockets = Array.from({ length: 200 }, () => {
      const socket = connect(Number(port), '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write('GET / HTTP/1.1\r\n');
      return socket;
    });
    const stop = new AbortController();
    const working = clients.work({ signal: stop.signal });
    await sleep(amount(5000));
    for (const socket of sockets) socket.destroy();
    await sleep(amount(5000));
    stop.abort();
    await working;
    /** @type {string[]} */
    const faults = [];
    limit(1024);
    faults.push(...(await expectRecovery(server.send)));
    const calm = createClients({ ledger, send: server.send });
    for (let count = 0; count < 10; count += 1) await calm.upload();
    await server.kill();

    const again = await startServerProcess(data);
    faults.push(...(await findTornFiles(data)));
    const { lost, checked } = await verify({ ledger, send: again.send });
    await again.kill();
    const { acknowledged, unanswered } = ledger.state;
    faults.push(...lost, ...ledger.violations);
    return { faults, figures: { acknowledged, 'refused or unanswered': unanswered, checked } };
  },
};
