// A real S3 engine on this machine, for tests: Ceph's radosgw over one monitor and one OSD in memory, on loopback only.
//
//     node scripts/radosgw.js      runs one until Ctrl-C, and prints what to give to `imgup serve --images`
import { execFile, spawn } from 'node:child_process';
import { createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startAnew } from './start-anew.js';

const NEEDED = ['radosgw', 'radosgw-admin', 'ceph-mon', 'ceph-osd', 'ceph-authtool', 'monmaptool', 'ceph'];

export const MISSING_RADOSGW = 'no S3 engine here: apt-get install --no-install-recommends radosgw ceph-mon ceph-osd';

/** What the engine knows its only user by; give them to whatever speaks to it. */
export const S3_CREDENTIALS = { AWS_ACCESS_KEY_ID: 'imgup-test', AWS_SECRET_ACCESS_KEY: 'imgup-test-secret' };

/** The bucket that is there from the start. */
export const BUCKET = 'imgup';

/** Milliseconds. */
const START_TIMEOUT = 45_000;

export function hasRadosgw() {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return NEEDED.every((program) => folders.some((folder) => isProgram(join(folder, program))));
}

/** @param {string} path */
function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Starts an engine, which takes some ten seconds.
 *
 * @param {{ store?: 'memstore' | 'bluestore' }} [options] where objects are kept: in memory, or on the disk for as long as it runs
 */
export function startRadosgw({ store = 'memstore' } = {}) {
  return startAnew('radosgw', () => startOnce(store));
}

/** @param {'memstore' | 'bluestore'} store */
async function startOnce(store) {
  const folder = await mkdtemp(join(tmpdir(), 'imgup-radosgw-'));
  const [monitorPort = 0, port = 0] = await freePorts(2);
  const configuration = join(folder, 'ceph.conf');
  const env = { ...process.env, CEPH_CONF: configuration };
  const endpoint = `http://127.0.0.1:${port}`;
  /** @type {Map<string, import('node:child_process').ChildProcess>} */
  const running = new Map();

  /** @param {string} program @param {string[]} args */
  const run = (program, ...args) => promisify(execFile)(program, args, { env, timeout: START_TIMEOUT });

  /**
   * On a busy machine the monitor answers for some time that it cannot say which commands it has.
   *
   * @param {string[]} args
   */
  async function askMonitor(...args) {
    for (let tries = 1; ; tries += 1) {
      try {
        return await run('ceph', '--connect-timeout', '20', ...args);
      } catch (error) {
        if (tries === 10) throw error;
        await sleep(500);
      }
    }
  }

  /** @param {'ceph-mon' | 'ceph-osd' | 'radosgw'} program @param {string[]} args */
  function keepRunning(program, ...args) {
    const child = spawn(program, [...args, '-f'], { env, stdio: 'ignore' });
    running.set(program, child);
  }
  const startMonitor = () => keepRunning('ceph-mon', '-i', 'a');
  const startOsd = () => keepRunning('ceph-osd', '-i', '0', '--no-mon-config');
  const startGateway = () => keepRunning('radosgw', '-n', 'client.rgw');

  /** @param {string} program @param {NodeJS.Signals} [signal] */
  async function end(program, signal = 'SIGKILL') {
    const child = running.get(program);
    running.delete(program);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }

  async function untilAnswering() {
    const deadline = Date.now() + START_TIMEOUT;
    for (;;) {
      const answer = await fetch(endpoint, { signal: AbortSignal.timeout(1000) }).catch(() => null);
      await answer?.arrayBuffer();
      if (answer?.ok) return;
      if (Date.now() > deadline) throw new Error('radosgw does not answer');
      await sleep(50);
    }
  }

  async function stop() {
    process.off('exit', killAll);
    await Promise.all([...running.keys()].map((program) => end(program)));
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }

  function killAll() {
    for (const child of running.values()) child.kill('SIGKILL');
  }
  // Whoever has started it may end without a word.
  process.on('exit', killAll);

  try {
    for (const name of ['mon', 'osd', 'run', 'log', 'rgw']) await mkdir(join(folder, name));
    const fsid = randomUUID();
    await writeFile(configuration, configure({ folder, fsid, port, monitorPort, store }));
    const keyring = join(folder, 'keyring');
    await run('ceph-authtool', '--create-keyring', keyring, '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *');
    const caps = ['mon', 'osd', 'mgr'].flatMap((name) => ['--cap', name, 'allow *']);
    await run('ceph-authtool', keyring, '--gen-key', '-n', 'client.admin', ...caps);
    const map = join(folder, 'monmap');
    const address = `[v1:127.0.0.1:${monitorPort}]`;
    await run('monmaptool', '--create', '--clobber', '--fsid', fsid, '--addv', 'a', address, map);
    await run('ceph-mon', '-i', 'a', '--mkfs', '--monmap', map, '--keyring', keyring);
    startMonitor();
    await askMonitor('osd', 'create');
    await run('ceph-osd', '-i', '0', '--mkfs', '--no-mon-config');
    await askMonitor('osd', 'crush', 'add', 'osd.0', '1.0', 'host=h', 'root=default');
    startOsd();
    startGateway();
    await untilAnswering();
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = S3_CREDENTIALS;
    const user = ['--uid=imgup', '--display-name=imgup', `--access-key=${AWS_ACCESS_KEY_ID}`];
    await run('radosgw-admin', '-n', 'client.rgw', 'user', 'create', ...user, `--secret=${AWS_SECRET_ACCESS_KEY}`);
    await makeBucket(endpoint);
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    endpoint,
    /** Of the gateway and what it stands on. */
    pids: () => [...running.values()].map(({ pid = 0 }) => pid),
    /** A place of its own, as `imgup serve --images` takes it. */
    url: (/** @type {string} */ prefix = randomUUID(), at = endpoint) =>
      `s3://${BUCKET}/${prefix}?endpoint=${at}&path-style=true`,
    stop,
    /** Ends the gateway as a crash does. What it has acknowledged is with the OSD. */
    kill: () => end('radosgw'),
    /** Starts the gateway again, and waits until it answers. */
    async restart() {
      startGateway();
      await untilAnswering();
    },
    /** The gateway takes connections, and answers nothing any more. */
    pause: () => running.get('radosgw')?.kill('SIGSTOP'),
    resume: () => running.get('radosgw')?.kill('SIGCONT'),
    /** Ends everything as a power cut does; with `bluestore` alone anything is left. */
    async killAll() {
      for (const program of ['radosgw', 'ceph-osd', 'ceph-mon']) await end(program);
    },
    async restartAll() {
      startMonitor();
      startOsd();
      startGateway();
      await untilAnswering();
    },
  };
}

/**
 * By the older of S3's two signatures, which is a line, so that no client is needed.
 *
 * @param {string} endpoint
 */
async function makeBucket(endpoint) {
  const date = new Date().toUTCString();
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = S3_CREDENTIALS;
  const signature = createHmac('sha1', AWS_SECRET_ACCESS_KEY)
    .update(`PUT\n\n\n\nx-amz-date:${date}\n/${BUCKET}`)
    .digest('base64');
  const headers = { 'x-amz-date': date, Authorization: `AWS ${AWS_ACCESS_KEY_ID}:${signature}` };
  const answer = await fetch(`${endpoint}/${BUCKET}`, { method: 'PUT', headers });
  if (!answer.ok) throw new Error(`radosgw has made no bucket: ${await answer.text()}`);
}

/** @param {{ folder: string, fsid: string, port: number, monitorPort: number, store: string }} options */
function configure({ folder, fsid, port, monitorPort, store }) {
  return `[global]
fsid = ${fsid}
mon host = v1:127.0.0.1:${monitorPort}
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
ms bind msgr2 = false
auth cluster required = none
auth service required = none
auth client required = none
auth allow insecure global id reclaim = true
run dir = ${folder}/run
admin socket = ${folder}/run/$name.$pid.asok
log file = ${folder}/log/$name.log
pid file = ${folder}/run/$name.pid
keyring = ${folder}/keyring
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon max pg per osd = 1000
osd crush chooseleaf type = 0
mon pg warn min per osd = 0
mon data avail crit = 1
mon data avail warn = 2
[mon.a]
mon data = ${folder}/mon
[osd.0]
osd data = ${folder}/osd
osd objectstore = ${store}
memstore device bytes = 2147483648
bluestore block size = 2147483648
bluestore block db size = 0
bluestore block wal size = 0
osd memory target = 939524096
osd class load list = *
osd class default list = *
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:${port} tcp_nodelay=1
rgw data = ${folder}/rgw
rgw thread pool size = 32
rgw enable usage log = false
rgw run sync thread = false
rgw enable quota threads = false
rgw enable gc threads = false
rgw enable lc threads = false
`;
}

/** @param {number} count */
async function freePorts(count) {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => /** @type {import('node:net').AddressInfo} */ (server.address()).port);
  await Promise.all(servers.map((server) => promisify(server.close.bind(server))()));
  return ports;
}

if (process.argv[1] === import.meta.filename) {
  if (!hasRadosgw()) throw new Error(MISSING_RADOSGW);
  const engine = await startRadosgw();
  const credentials = Object.entries(S3_CREDENTIALS).map(([name, value]) => `${name}=${value}`);
  console.log(`${credentials.join(' ')}\n${engine.url('pictures')}`);
  await once(process, 'SIGINT');
  await engine.stop();
}
