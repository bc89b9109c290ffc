import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { makeOwnEngines } from '../../packages/server/test/own-engines.js';
import { startRoundRobin } from '../round-robin.js';

const CLI = fileURLToPath(new URL('../../packages/cli/dist/main.cjs', import.meta.url));

const ANNOUNCEMENT = 'imgup is listening on ';

/** How long one command may take. */
const COMMAND_TIMEOUT_MS = 10_000;

/** A step that is not as it should be. */
export class DemoError extends Error {}

/**
 * @typedef {object} Outcome
 * @property {number | null} code null where it had to be killed
 * @property {string} stdout
 * @property {string} stderr
 */

/**
 * A folder of its own in which the built CLI runs, and knows nothing of the person's configuration, keychain and servers.
 * The folder and every process are gone when this process ends, in whatever way it is asked to.
 */
export function openStage() {
  if (!existsSync(CLI)) throw new DemoError('imgup is not built; run `npm run build`');
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'imgup-demo-')));
  const env = isolated(process.env, folder);
  /** @type {Set<import('node:child_process').ChildProcess>} */
  const running = new Set();

  process.on('exit', () => {
    for (const child of running) child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  });
  for (const [signal, number] of /** @type {const} */ ([
    ['SIGHUP', 1],
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ])) {
    process.on(signal, () => process.exit(128 + number));
  }

  /**
   * @param {string[]} args
   * @param {string | Buffer} input
   */
  function start(args, input) {
    const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, env });
    running.add(child);
    child.on('exit', () => running.delete(child));
    child.stdin.on('error', () => {}); // a command may end without having read its input
    child.stdin.end(input);
    return child;
  }

  /** @param {string[]} args */
  async function startServer(args) {
    const child = start(['serve', ...args], '');
    const ended = exitCode(child);
    /** @type {string[]} */
    const log = [];
    /** @type {Promise<string | null>} */
    const announced = new Promise((resolve) => {
      createInterface({ input: child.stderr }).on('line', (line) => {
        log.push(line);
        if (line.startsWith(ANNOUNCEMENT)) resolve(line);
      });
      void ended.then(() => resolve(null));
      setTimeout(() => resolve(null), COMMAND_TIMEOUT_MS).unref();
    });
    const announcement = await announced;
    if (announcement === null) throw new DemoError(`the server does not start:\n${log.join('\n')}`);
    return {
      announcement,
      origin: announcement.replace(ANNOUNCEMENT, ''),
      /** Stops it as Ctrl-C does. */
      async stop() {
        child.kill('SIGINT');
        return ended;
      },
    };
  }

  return {
    folder,
    /** Where the CLI keeps its configuration, and here its credentials too. */
    configuration: join(folder, 'config', 'imgup'),

    /**
     * Runs a command to its end.
     *
     * @param {string[]} args
     * @param {{ stdin?: string }} [options] stdin: a file of the folder
     * @returns {Promise<Outcome>}
     */
    async imgup(args, { stdin } = {}) {
      const child = start(args, stdin === undefined ? '' : readFileSync(join(folder, stdin)));
      const timeout = setTimeout(() => child.kill('SIGKILL'), COMMAND_TIMEOUT_MS);
      const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exitCode(child)]);
      clearTimeout(timeout);
      return { code, stdout, stderr };
    },

    /**
     * Starts `imgup serve`, and waits for the line that says where; under `npm run test:scale` two of them, behind a
     * round-robin.
     *
     * @param {string[]} args
     */
    async serve(args) {
      const shared = await makeOwnEngines();
      if (shared === null) return startServer(args);
      const { accounts, images } = shared;
      Object.assign(env, {
        IMGUP_ACCOUNTS: accounts,
        IMGUP_IMAGES: images,
        IMGUP_SECRET: randomBytes(32).toString('hex'),
      });
      const servers = [
        await startServer([...args, '--data', 'data-1']),
        await startServer([...args, '--data', 'data-2']),
      ];
      const front = await startRoundRobin(servers.map(({ origin }) => origin));
      return {
        announcement: `${ANNOUNCEMENT}${front.origin}`,
        origin: front.origin,
        async stop() {
          front.close();
          const codes = await Promise.all(servers.map((server) => server.stop()));
          await shared.remove();
          return codes.find((code) => code !== 0) ?? 0;
        },
      };
    },

    /**
     * For every command from now on.
     *
     * @param {string} name
     * @param {string} value
     */
    setVariable(name, value) {
      env[name] = value;
    },
  };
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @returns {Promise<number | null>}
 */
async function exitCode(child) {
  await once(child, 'exit');
  return child.exitCode;
}

/**
 * The environment without what steers imgup, and with every folder of a user inside the stage.
 *
 * @param {NodeJS.ProcessEnv} outer
 * @param {string} folder
 * @returns {NodeJS.ProcessEnv}
 */
function isolated(outer, folder) {
  const kept = Object.entries(outer).filter(([name]) => !/^IMGUP_|_proxy$/i.test(name));
  return {
    ...Object.fromEntries(kept),
    HOME: join(folder, 'home'),
    USERPROFILE: join(folder, 'home'),
    XDG_CONFIG_HOME: join(folder, 'config'),
    XDG_DATA_HOME: join(folder, 'home'),
    IMGUP_CREDENTIAL_STORE: 'file',
  };
}
