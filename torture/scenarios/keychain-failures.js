import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TESTS = 'packages/cli/test/keychain-processes.test.ts';

/** @type {import('../main.js').Scenario} */
export const keychainFailures = {
  title: 'how long a spawned imgup without a terminal takes to say what is wrong with each keychain that fails',
  async run({ say }) {
    // They start the keychains, so the same is timed as is tested.
    const args = ['node_modules/vitest/vitest.mjs', 'run', TESTS, '--disable-console-intercept'];
    const tests = spawn(process.execPath, args, {
      cwd: ROOT,
      env: { ...process.env, IMGUP_TEST_TIMES: '1', NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    /** @type {Promise<number | null>} */
    const ended = new Promise((resolve) => {
      tests.on('exit', resolve);
    });
    const [code, stdout, stderr] = await Promise.all([ended, text(tests.stdout), text(tests.stderr)]);
    const times = stdout.split('\n').filter((line) => /: \d+ ms, exit code \d+: /.test(line));
    for (const line of times) say(line);
    if (times.length === 0 && code === 0) return { skipped: 'no keychain is installed here' };
    const faults = code === 0 ? [] : [`the tests failed:\n${stdout}${stderr}`];
    return { faults, figures: { failures: times.length } };
  },
};
