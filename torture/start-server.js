// One server as a process of its own, with what tests need and the command line does not offer: a cheap bcrypt.
//
//     node torture/start-server.js '{"data": "…", "minFree": 0}'
//
// `flags` and `secret` are given to it as the command line and IMGUP_SECRET are.
import { readConfig, startServer } from '../packages/server/dist/index.js';

/** More than any scenario uses up. */
const UNLIMITED = 1_000_000;

const { data, flags, secret, ...settings } =
  /** @type {{ data: string, flags?: Record<string, string>, secret?: string }} */ (
    JSON.parse(process.argv[2] ?? '{}')
  );

const server = await startServer({
  ...readConfig({ flags: { data, port: '0', ...flags }, env: secret === undefined ? {} : { IMGUP_SECRET: secret } }),
  uploadLimit: { uploads: UNLIMITED, windowMs: 60_000 },
  loginLimit: { attempts: UNLIMITED, windowMs: 60_000 },
  minFree: 0,
  // Scenarios go on for longer than the ten minutes of a real token.
  accessTtl: 24 * 60 * 60,
  passwordCost: 4,
  ...settings,
});
// No server outlives the program that has started it.
process.stdin.on('close', () => process.exit(1)).resume();
process.stdin.unref();
process.once('SIGTERM', () => void server.close());
process.stdout.write(`${JSON.stringify({ url: server.url, pid: process.pid })}\n`);
