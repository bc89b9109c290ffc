// Everything that can be said of the code without running it. Each check runs, whatever the others say.
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

// Before the others, which read the declarations that it writes.
const types = await run('types', ['node_modules/typescript/bin/tsc', '--build']);
const rest = await Promise.all([
  run('lint', ['node_modules/oxlint/bin/oxlint']),
  run('format', ['node_modules/oxfmt/bin/oxfmt', '--check']),
  run('unused files, exports and dependencies', ['node_modules/knip/bin/knip.js', '--no-progress']),
  run('suppressions', ['scripts/check-suppressions.js']),
]);

const failed = [types, ...rest].filter(({ passed }) => !passed).map(({ title }) => title);
if (failed.length > 0) {
  console.error(`\ncheck: failed in ${failed.join(', ')}.`);
  process.exitCode = 1;
}

/**
 * @param {string} title
 * @param {string[]} args of node
 */
async function run(title, args) {
  const started = performance.now();
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  /** @type {Promise<number | null>} */
  const ended = new Promise((resolve) => {
    child.on('exit', resolve);
  });
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  const passed = code === 0;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${passed ? 'ok    ' : 'FAILED'}  ${title} (${seconds} s)`);
  if (!passed) console.log(`${stdout}${stderr}`.trimEnd());
  return { title, passed };
}
