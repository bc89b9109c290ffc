import { runTests } from '../run-tests.js';

const PROCESSES = 50;

/** @type {import('../main.js').Scenario} */
export const keychainCrowds = {
  title: '50 `imgup upload` at once with an expired access token in a real gnome-keyring, 10 times',
  async run({ amount, say }) {
    const { faults, lines } = await runTests('packages/cli/test/keychain-crowd.test.ts', {
      IMGUP_TEST_CROWD: `${PROCESSES}`,
      IMGUP_TEST_ROUNDS: `${amount(10)}`,
    });
    const rounds = lines.filter((line) => /^round \d+: /.test(line));
    for (const line of rounds) say(line);
    if (rounds.length === 0 && faults.length === 0) return { skipped: 'no keychain is installed here' };
    return { faults, figures: { rounds: rounds.length } };
  },
};
