import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../packages/cli/dist/main.cjs', import.meta.url));
const PASSWORD = 'a long enough secret';

/**
 * @typedef {{ code: number | NodeJS.Signals, stdout: string, stderr: string }} Ended
 * @typedef {Awaited<ReturnType<typeof registerPerson>>} Person
 */

/**
 * A person with a machine of their own, who uses the built CLI as processes and keeps tokens in a file.
 *
 * @param {string} folder
 * @param {string} origin
 */
export async function registerPerson(folder, origin) {
  await mkdir(folder, { recursive: true });
  const outer = Object.entries(process.env).filter(([name]) => !/^IMGUP_|_proxy$/i.test(name));
  const env = {
    ...Object.fromEntries(outer),
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, 'config'),
    IMGUP_CREDENTIAL_STORE: 'file',
    IMGUP_SERVER: origin,
  };
  const path = join(folder, 'config', 'imgup', 'credentials.json');

  /** @param {string[]} args @param {string} [input] */
  function start(args, input = '') {
    const child = spawn(process.execPath, [CLI, ...args], { env });
    child.stdin.on('error', () => {}); // a command may end without having read its input
    child.stdin.end(input);
    /** @type {Promise<Ended>} */
    const ended = Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]).then(
      ([[code, signal], stdout, stderr]) => ({
        code: /** @type {number | NodeJS.Signals} */ (code ?? signal),
        stdout,
        stderr,
      }),
    );
    return { child, ended };
  }

  const credentials = () => readFile(path, 'utf8');

  const person = {
    start,
    /** @param {string[]} args @param {string} [input] */
    imgup: (args, input) => start(args, input).ended,

    /** The credential file as it is. */
    credentials,

    /** Has the client take its access token for expired. Nothing else may be running. */
    async expire() {
      const file = /** @type {{ records: { password: string }[] }} */ (JSON.parse(await credentials()));
      for (const stored of file.records) {
        const record = /** @type {object} */ (JSON.parse(stored.password));
        stored.password = JSON.stringify({ ...record, access_expires: 0 });
      }
      await writeFile(path, JSON.stringify(file));
    },
  };
  const { code, stderr } = await person.imgup(['register', '--username', 'ada', '--password-stdin'], PASSWORD);
  if (code !== 0) throw new Error(`register ended with ${code}: ${stderr}`);
  return person;
}
