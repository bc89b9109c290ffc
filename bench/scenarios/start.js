import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { account, PASSWORD, startImgup } from '../imgup.js';
import { startKeychain } from '../keychain.js';
import { makePicture } from '../make-picture.js';
import { readPicture, whole } from '../picture.js';
import { env } from '../server-process.js';
import { median, ratios, spread, table } from '../statistics.js';

const MAIN = fileURLToPath(new URL('../../packages/cli/dist/main.cjs', import.meta.url));
const CLIENTS = fileURLToPath(new URL('../clients/', import.meta.url));

/** @typedef {{ name: string, command: string[], env?: NodeJS.ProcessEnv, uploads?: boolean, done?: RegExp }} Contender */

/**
 * Whole processes, from their start to their end.
 *
 * @param {import('../main.js').Bench} bench
 * @returns {Promise<{ rows: import('../main.js').Row[], tables: string[] }>}
 */
export async function start({ folder, quick, say }) {
  const rounds = quick ? 7 : 25;
  // What the server takes is no merit or fault of a client.
  const server = await startImgup(join(folder, 'data'), { flags: { verify: 'header' } });
  const keychain = await startKeychain();
  if (keychain === null) say('skipped: uploads with the keychain; install gnome-keyring, dbus-daemon and dbus-bin');
  const file = join(folder, 'picture.jpg');
  await makePicture(1_000_000, file);
  const picture = readPicture(file);
  try {
    const { access_token: token } = await account(server.url, 'scripts');
    const imgup = [process.execPath, MAIN];
    const files = {
      ...env,
      XDG_CONFIG_HOME: join(folder, 'config'),
      // What it keeps compiled is made by the rounds that are not counted.
      XDG_CACHE_HOME: join(folder, 'cache'),
      IMGUP_CREDENTIAL_STORE: 'file',
      IMGUP_SERVER: server.url,
    };
    const kept = {
      ...files,
      ...keychain?.env,
      XDG_CONFIG_HOME: join(folder, 'config-2'),
      IMGUP_CREDENTIAL_STORE: 'keychain',
    };
    await logIn(files, 'files');
    if (keychain !== null) await logIn(kept, 'keys');
    const picgo = await preparePicgo(join(folder, 'picgo'), server.url, token);

    /** @type {Contender[]} */
    const contenders = [
      { name: 'node -e 0', command: [process.execPath, '-e', '0'] },
      { name: 'imgup --version', command: [...imgup, '--version'] },
      { name: 'imgup --help', command: [...imgup, '--help'] },
      {
        name: 'node:http script',
        command: [process.execPath, join(CLIENTS, 'upload-http.js'), server.url, token, file],
        uploads: true,
      },
      {
        name: 'fetch script',
        command: [process.execPath, join(CLIENTS, 'upload-fetch.js'), server.url, token, file],
        uploads: true,
      },
      {
        name: 'curl -F',
        command: [
          'curl',
          '-sf',
          '-H',
          `Authorization: Bearer ${token}`,
          '-F',
          `file=@${file}`,
          `${server.url}/api/images`,
        ],
        uploads: true,
      },
      { name: 'picgo', ...picgo, uploads: true },
      { name: 'imgup upload', command: [...imgup, 'upload', file], env: files, uploads: true },
      ...(keychain === null
        ? []
        : [{ name: 'imgup upload, keychain', command: [...imgup, 'upload', file], env: kept, uploads: true }]),
    ];

    /** @type {Map<string, number[]>} */
    const times = new Map();
    let number = 0;
    for (let round = -2; round < rounds; round += 1) {
      for (const offset of contenders.keys()) {
        const contender = contenders[(offset + Math.max(0, round)) % contenders.length];
        if (contender === undefined) continue;
        if (contender.uploads === true) await writeFile(file, whole(picture, (number += 1)));
        const took = await time(contender);
        if (round >= 0) times.set(contender.name, [...(times.get(contender.name) ?? []), took]);
      }
    }

    const of = (/** @type {string} */ name) => times.get(name) ?? [];
    const against = (/** @type {string} */ ours, /** @type {string} */ theirs) => median(ratios(of(ours), of(theirs)));
    const lines = contenders.map(({ name }) => [name, spread(of(name), 0), spread(ratios(of(name), of('node -e 0')))]);
    /** @type {import('../main.js').Row[]} */
    const rows = [
      {
        what: 'imgup --version against node -e 0',
        value: against('imgup --version', 'node -e 0'),
        target: 1.25,
        unit: 'times the time',
      },
      {
        what: 'imgup --help against node -e 0',
        value: against('imgup --help', 'node -e 0'),
        target: 1.4,
        unit: 'times the time',
      },
      {
        what: 'imgup upload of 1 MB against the node:http script',
        value: against('imgup upload', 'node:http script'),
        target: 2,
        unit: 'times the time',
      },
      {
        what: 'imgup upload of 1 MB against the fetch script',
        value: against('imgup upload', 'fetch script'),
        target: 0.5,
        unit: 'times the time',
      },
      {
        what: 'imgup upload of 1 MB against picgo',
        value: against('imgup upload', 'picgo'),
        target: 0.2,
        unit: 'times the time',
      },
    ];
    if (keychain !== null) {
      const value = against('imgup upload, keychain', 'imgup upload');
      rows.push({
        what: 'imgup upload with the keychain against that with the file',
        value,
        target: 1.6,
        unit: 'times the time',
      });
    }
    const head = ['whole process', 'ms', 'against node -e 0'];
    return { rows, tables: [`### Starting, and uploading 1 MB\n\n${table(head, lines)}\n`] };
  } finally {
    await keychain?.stop();
    await server.stop();
    await rm(file, { force: true });
  }
}

/** @param {NodeJS.ProcessEnv} environment @param {string} username */
async function logIn(environment, username) {
  const child = spawn(process.execPath, [MAIN, 'register', '--username', username, '--password-stdin'], {
    env: environment,
  });
  child.stdin.end(`${PASSWORD}\n`);
  const [[code], said] = await Promise.all([once(child, 'exit'), text(child.stderr)]);
  if (code !== 0) throw new Error(said);
}

/**
 * PicGo's folder as its documentation has it set up, with the plugin that any host but its own needs.
 *
 * @param {string} folder
 * @param {string} url
 * @param {string} token
 */
async function preparePicgo(folder, url, token) {
  const require = createRequire(import.meta.url);
  const program = join(dirname(require.resolve('picgo/package.json')), 'bin', 'picgo');
  const plugin = dirname(require.resolve('picgo-plugin-web-uploader/package.json'));
  await mkdir(join(folder, 'node_modules'), { recursive: true });
  await symlink(plugin, join(folder, 'node_modules', basename(plugin)));
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'picgo-plugins', dependencies: { [basename(plugin)]: '1.1.1' } }),
  );
  const customHeader = JSON.stringify({ Authorization: `Bearer ${token}` });
  const uploader = { url: `${url}/api/images`, paramName: 'file', jsonPath: 'url', customHeader, customBody: '' };
  const picBed = { uploader: 'web-uploader', current: 'web-uploader', 'web-uploader': uploader };
  const config = join(folder, 'config.json');
  await writeFile(config, JSON.stringify({ picBed, picgoPlugins: { 'picgo-plugin-web-uploader': true } }));
  return {
    command: [process.execPath, program, '-c', config, 'upload', join(folder, '..', 'picture.jpg')],
    env: { ...env, HOME: folder },
    // It goes on until the server closes the connection, seconds later, which is not held against it.
    done: /\[PicGo SUCCESS\].*\n.*http.*\n/,
  };
}

/** Milliseconds. @param {Contender} contender */
async function time({ name, command, env: environment = env, done }) {
  if (done !== undefined) return timeUntil({ name, command, env: environment, done });
  const [program = '', ...args] = command;
  const began = performance.now();
  const child = spawn(program, args, { env: environment, stdio: ['ignore', 'ignore', 'pipe'] });
  const [[code], said] = await Promise.all([once(child, 'exit'), text(child.stderr)]);
  const took = performance.now() - began;
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${said}`);
  return took;
}

/** Milliseconds until it says that it is done. @param {{ name: string, command: string[], env: NodeJS.ProcessEnv, done: RegExp }} contender */
async function timeUntil({ name, command, env: environment, done }) {
  const [program = '', ...args] = command;
  const began = performance.now();
  const child = spawn(program, args, { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  for await (const chunk of child.stdout) {
    said += chunk;
    if (!done.test(said)) continue;
    const took = performance.now() - began;
    child.kill('SIGKILL');
    return took;
  }
  throw new Error(`${name} was not done: ${said}`);
}
