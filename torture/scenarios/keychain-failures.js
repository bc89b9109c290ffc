import { runTests } from '../run-tests.js';

/** @type {import('../main.js').Scenario} */
export const keychainFailures = {
  title: 'how long a spawned imgup without a terminal takes to say what is wrong with each keychain that fails',
  async run({ say }) {
    const { faults, lines } = await runTests('packages/cli/test/keychain-processes.test.ts');
    const times = lines.filter((line) => /: \d+ ms, exit code \d+: /.test(line));
    for (const line of times) say(line);
    if (times.length === 0 && faults.length === 0) return { skipped: 'no keychain is installed here' };
    return { faults, figures: { failures: times.length } };
  },
};
