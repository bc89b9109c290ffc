import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bearer, createClients, json, raw } from '../clients.js';
import { createLedger } from '../ledger.js';
import { uniquePng } from '../pictures.js';
import { startServerProcess } from '../server-process.js';
import { injectFault, straceMissing } from '../strace.js';
import { findTornFiles } from '../torn-files.js';
import { verify } from '../verify.js';

/** How long a server may take to find that its disk is well again. */
const RECOVERY = 10_000;

/** What fails while everybody works: a removal may be broken off after any of its steps. @type {Record<string, string>} */
const FAULTS = {
  'every 2nd fsync': 'fsync,fdatasync:error=EIO:when=2+2',
  'every 3rd fsync': 'fsync,fdatasync:error=EIO:when=3+3',
  'every 3rd removal': 'unlink,rmdir:error=EIO:when=3+3',
  'every 5th open': 'openat:error=EMFILE:when=5+5',
};

/** @type {import('../main.js').Scenario} */
export const diskErrors = {
  title: 'EIO on every fsync, then on some, on removals, and EMFILE: refused, nothing lost, and well again by itself',
  async run({ folder, amount }) {
    const missing = straceMissing();
    if (missing !== null) return { skipped: missing };
    const data = join(folder, 'data');
    /** @type {string[]} */
    const faults = [];
    const ledger = createLedger();
    let server = await startServerProcess(data);
    let checked = 0;
    const calm = createClients({ ledger, send: server.send });
    await calm.registerAdmin();
    for (let count = 0; count < 5; count += 1) await calm.register();
    for (let count = 0; count < 10; count += 1) await calm.upload();
    const before = structuredClone(ledger.state);

    const every = await injectFault(server.pid, 'fsync,fdatasync:error=EIO');
    faults.push(...(await expectRefusals(server.send, before)));
    await every.stop();
    faults.push(...(await expectRecovery(server.send)));

    for (const [what, inject] of Object.entries(FAULTS)) {
      const some = await injectFault(server.pid, inject);
      const stop = new AbortController();
      const working = createClients({ ledger, send: server.send, mayFail: true }).work({ signal: stop.signal });
      await sleep(amount(5000));
      stop.abort();
      await working;
      await some.stop();
      faults.push(...(await expectRecovery(server.send)));
      // Before and after a kill: neither memory nor disk may hold what the other does not.
      for (const state of ['running', 'killed']) {
        if (state === 'killed') {
          await server.kill();
          server = await startServerProcess(data);
          faults.push(...(await findTornFiles(data)));
        }
        const found = await verify({ ledger, send: server.send });
        checked += found.checked;
        faults.push(...found.lost.map((fault) => `${what}, ${state}: ${fault}`));
      }
    }
    faults.push(...ledger.violations);
    await server.kill();
    const { acknowledged, unanswered } = ledger.state;
    return { faults, figures: { acknowledged, 'refused or unanswered': unanswered, checked } };
  },
};

/**
 * What must be stored is refused, and what need not be goes on.
 *
 * @param {import('../clients.js').Send} send
 * @param {import('../ledger.js').LedgerState} state
 */
export async function expectRefusals(send, state) {
  /** @type {string[]} */
  const faults = [];
  const session = [...state.sessions.values()].at(-1);
  const image = [...state.images.values()].find(({ presence }) => presence === 'there');
  const user = [...state.users.values()].at(-1);
  if (session === undefined || image === undefined || user === undefined) return ['nothing was stored before'];
  const upload = raw(uniquePng(5000));
  upload.headers = { ...upload.headers, ...bearer(session) };
  /** @type {[string, string, RequestInit, 'refused' | 'answered'][]} */
  const requests = [
    ['an upload', '/api/images', upload, 'refused'],
    ['a registration', '/api/register', json({ username: 'newcomer', password: 'a long enough secret' }), 'refused'],
    ['a log-in', '/api/login', json({ username: user.name, password: user.password }), 'refused'],
    ['a log-out', '/api/logout/refresh', json({ refresh_token: session.refreshToken }), 'refused'],
    ['/readyz', '/readyz', {}, 'refused'],
    ['/api/me', '/api/me', { headers: bearer(session) }, 'answered'],
    ['a picture', image.path, {}, 'answered'],
    ['/healthz', '/healthz', {}, 'answered'],
  ];
  for (const [what, path, init, expected] of requests) {
    const answer = await send(path, init);
    const body = await answer.text();
    const isProblem = answer.headers.get('content-type') === 'application/problem+json';
    const isRefused = [503, 507].includes(answer.status) && isProblem;
    if (expected === 'refused' ? !isRefused : !answer.ok) {
      faults.push(`${what} should be ${expected}, and was answered ${answer.status} ${body.slice(0, 300)}`);
    }
  }
  return faults;
}

/** @param {import('../clients.js').Send} send */
export async function expectRecovery(send) {
  const until = performance.now() + RECOVERY;
  for (;;) {
    const { status } = await send('/readyz');
    if (status === 200) return [];
    if (performance.now() > until) return [`/readyz is ${status} after the disk has been well for ${RECOVERY} ms`];
    await sleep(200);
  }
}
