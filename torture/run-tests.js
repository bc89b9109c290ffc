import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * Runs one file of the tests, which prints figures then. They start the keychains, so that the same is measured as is
 * tested.
 *
 * @param {string} file
 * @param {Record<string, string>} [env]
 */
export async function runTests(file, env = {}) {
  const args = ['node_modules/vitest/vitest.mjs', 'run', file, '--disable-console-intercept'];
  const tests = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { ...process.env, IMGUP_TEST_TIMES: '1', NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  /** @type {Promise<number | null>} */
  const ended = new Promise((resolve) => {
    tests.on('exit', resolve);
  });
  const [code, stdout, stderr] = await Promise.all([ended, text(tests.stdout), text(tests.stderr)]);
  return { lines: stdout.split('\n'), faults: code === 0 ? [] : [`the tests failed:\n${stdout}${stderr}`] };
}
