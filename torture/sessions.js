// What no test can show in a minute: sessions under crowds of processes, kills at any instant, and keychains that fail.
//
//     npm run torture:sessions                          everything, which takes some ten minutes
//     npm run torture:sessions -- killed-refreshes      some of it
//     npm run torture:sessions -- --scale 0.1           less of it
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { keychainCrowds } from './scenarios/keychain-crowds.js';
import { keychainFailures } from './scenarios/keychain-failures.js';
import { killedRefreshes } from './scenarios/killed-refreshes.js';
import { parallelUploads } from './scenarios/parallel-uploads.js';

/** @type {Record<string, import('./main.js').Scenario>} */
const SCENARIOS = {
  'parallel-uploads': parallelUploads,
  'killed-refreshes': killedRefreshes,
  'keychain-crowds': keychainCrowds,
  'keychain-failures': keychainFailures,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { scale: { type: 'string', default: '1' } },
});
const scale = Number(values.scale);
const names = positionals.length > 0 ? positionals : Object.keys(SCENARIOS);
if (Number.isNaN(scale) || !names.every((name) => Object.hasOwn(SCENARIOS, name))) {
  console.error(`torture: the scenarios are ${Object.keys(SCENARIOS).join(', ')}; --scale takes a number.`);
  process.exit(2);
}
const workspace = await mkdtemp(join(tmpdir(), 'imgup-torture-'));
try {
  for (const name of names) await torture(name);
} finally {
  await rm(workspace, { recursive: true, force: true });
}

/** @param {string} name */
async function torture(name) {
  const scenario = SCENARIOS[name];
  if (scenario === undefined) return;
  console.log(`\n== ${name}: ${scenario.title}`);
  const folder = join(workspace, name);
  await mkdir(folder);
  const started = performance.now();
  const outcome = await scenario.run({
    folder,
    amount: (whole) => Math.max(1, Math.round(whole * scale)),
    say: (line) => {
      console.log(`   ${line}`);
    },
    withoutFsync: null,
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  if ('skipped' in outcome) {
    console.log(`skipped: ${outcome.skipped}`);
    return;
  }
  const { faults, figures } = outcome;
  const told = Object.entries(figures).map(([what, figure]) => `${figure} ${what}`);
  console.log(`   ${told.join(', ')}`);
  for (const fault of faults) console.log(`   FAULT: ${fault}`);
  console.log(`${faults.length === 0 ? 'passed' : `FAILED, ${faults.length} faults`} (${seconds} s)`);
  if (faults.length > 0) process.exitCode = 1;
}
