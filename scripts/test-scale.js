// The demo and the tests of the command line once more, on what several servers share: npm run test:scale [-- some of them, options of vitest]
//
// Where a test opens a server, two are opened that know nothing of each other (each its own folder, pool and caches), on a
// PostgreSQL database and a place on an S3 store of their own, and are asked in turns. The demo has two processes behind a
// round-robin.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startPostgres, whyNoPostgres } from '../packages/server/test/postgres-server.js';
import { hasRadosgw, MISSING_RADOSGW, S3_CREDENTIALS, startRadosgw } from './radosgw.js';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What is not about the server that a client speaks to, and why. */
const ELSEWHERE = {
  'credentials/*': 'speaks to keychains alone',
  'admin.test.ts': 'checks, copies and restores a data folder, which holds nothing here',
  'admin-migrate.test.ts': 'moves a data folder to engines of its own',
  'package.test.ts': 'starts the packed program, on engines of its own too',
};

const missing = hasRadosgw() ? await whyNoPostgres() : MISSING_RADOSGW;
if (missing !== null) {
  console.error(`test:scale: ${missing}`);
  process.exit(1);
}

const postgres = await startPostgres();
const s3 = await startRadosgw();
/** @type {import('node:child_process').ChildProcess | undefined} */
let running;
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.once(signal, () => running?.kill());
}
const env = {
  ...process.env,
  ...S3_CREDENTIALS,
  IMGUP_TEST_ACCOUNTS: postgres.url,
  IMGUP_TEST_IMAGES: s3.url('tests'),
};
try {
  for (const [file, why] of Object.entries(ELSEWHERE)) console.log(`left out: packages/cli/test/${file}, which ${why}`);
  const excluded = Object.keys(ELSEWHERE).flatMap((file) => ['--exclude', `packages/cli/test/${file}`]);
  const given = process.argv.slice(2);
  const options = given.filter((word) => word.startsWith('-'));
  const named = given.filter((word) => !word.startsWith('-'));
  const tests = named.length > 0 ? named : ['packages/cli/test'];
  process.exitCode =
    (await run(['node_modules/vitest/vitest.mjs', 'run', ...tests, ...excluded, ...options])) ||
    (await run(['scripts/demo.js']));
} finally {
  await s3.stop();
  await postgres.stop();
}

/** @param {string[]} args of node */
async function run(args) {
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: 'inherit' });
  running = child;
  await once(child, 'exit');
  return child.exitCode ?? 1;
}
