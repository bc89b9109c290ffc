import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/**
 * A server in a process of its own, on a core of its own where there is more than one.
 *
 * @typedef {{ url: string, pid: number, stop: () => Promise<void> }} ServerProcess
 */

/** Whatever is set here and costs every start of node its time, or changes what runs. */
const { NODE_EXTRA_CA_CERTS: _certificates, NODE_OPTIONS: _options, ...env } = process.env;
export { env };

/**
 * The core that servers have; what loads them has the others.
 *
 * @param {string[]} command
 */
const onServerCore = (command) => ['taskset', '-c', '0', ...command];

/**
 * @param {string} script in this folder
 * @param {string[]} args
 * @param {{ anyCore?: boolean }} [placing] `anyCore`: one of several, which all compete for all cores
 * @returns {Promise<ServerProcess>}
 */
export async function startNode(script, args, { anyCore = false } = {}) {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const command = [process.execPath, path, ...args];
  const [program = '', ...rest] = anyCore ? command : onServerCore(command);
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'inherit'], env });
  const [url] = await once(createInterface({ input: child.stdout }), 'line');
  return { url: String(url), pid: child.pid ?? 0, stop: () => end(child) };
}

/**
 * nginx with WebDAV's PUT: what a machine can do, by a server that does nothing but write files.
 *
 * @param {string} folder
 * @returns {Promise<ServerProcess | null>} null where there is no nginx
 */
export async function startNginx(folder) {
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  await mkdir(join(folder, 'upload'), { recursive: true });
  await mkdir(join(folder, 'temporary'), { recursive: true });
  const configuration = `
    user root; worker_processes 1; daemon off; pid ${folder}/pid; error_log stderr crit;
    events { worker_connections 1024; }
    http {
      access_log off; client_max_body_size 64m; keepalive_requests 1000000;
      client_body_temp_path ${folder}/temporary; proxy_temp_path ${folder}/t1; fastcgi_temp_path ${folder}/t2;
      uwsgi_temp_path ${folder}/t3; scgi_temp_path ${folder}/t4;
      server { listen 127.0.0.1:${port}; location / { root ${folder}; dav_methods PUT; } }
    }`;
  await writeFile(join(folder, 'nginx.conf'), configuration);
  const [program = '', ...rest] = onServerCore(['nginx', '-p', folder, '-c', join(folder, 'nginx.conf')]);
  const child = spawn(program, rest, { stdio: ['ignore', 'ignore', 'ignore'], env });
  let ended = false;
  child.on('error', () => (ended = true)).on('exit', () => (ended = true));
  for (let tries = 0; tries < 100; tries += 1) {
    if (ended) return null;
    if (await listens(port)) {
      return { url: `http://127.0.0.1:${port}`, pid: child.pid ?? 0, stop: () => end(child, 'SIGTERM') };
    }
    await delay(20);
  }
  await end(child);
  return null;
}

/** @param {number} port @returns {Promise<boolean>} */
function listens(port) {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** @param {import('node:child_process').ChildProcess} child @param {NodeJS.Signals} signal */
async function end(child, signal = 'SIGKILL') {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, 'exit');
}

/** The process and those that it has started. @param {number} pid @returns {number[]} */
function tree(pid) {
  const parents = new Map();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const [, parent] = /\) \S (\d+)/.exec(stat) ?? [];
      parents.set(Number(name), Number(parent));
    } catch {
      // It has ended meanwhile.
    }
  }
  const found = [pid];
  for (const one of found) for (const [child, parent] of parents) if (parent === one) found.push(child);
  return found;
}

/** Seconds of CPU that a process and its children have taken. @param {number} pid */
export function cpuSeconds(pid) {
  let ticks = 0;
  for (const one of tree(pid)) {
    try {
      const [, utime, stime] = /\) \S (?:\S+ ){10}(\d+) (\d+)/.exec(readFileSync(`/proc/${one}/stat`, 'utf8')) ?? [];
      ticks += Number(utime) + Number(stime);
    } catch {
      // It has ended meanwhile.
    }
  }
  return ticks / 100;
}

/** Forgets the peak until now. @param {number} pid */
export function resetPeak(pid) {
  for (const one of tree(pid)) writeFileSync(`/proc/${one}/clear_refs`, '5');
}

/** Megabytes, the peak since the last reset, of the process and its children. @param {number} pid */
export function peakMegabytes(pid) {
  let kilobytes = 0;
  for (const one of tree(pid)) {
    try {
      kilobytes += Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${one}/status`, 'utf8'))?.[1] ?? 0);
    } catch {
      // It has ended meanwhile.
    }
  }
  return kilobytes / 1024;
}
