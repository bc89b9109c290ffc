// What no unit test can show: the built server killed, cut off from power and disk, and treated badly by its clients.
//
//     npm run torture                           everything, which takes a quarter of an hour
//     npm run torture -- kills slow-clients     some of it
//     npm run torture -- --scale 0.1            less of it
//     npm run torture -- power-cuts --without-fsync both     must fail: shows that a missing fsync is found
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { watchForInterruption } from './interruption.js';
import { keepMountsToItself } from './own-mounts.js';
import { abortedUploads } from './scenarios/aborted-uploads.js';
import { corpus } from './scenarios/corpus.js';
import { descriptors } from './scenarios/descriptors.js';
import { diskErrors } from './scenarios/disk-errors.js';
import { earlyAnswers } from './scenarios/early-answers.js';
import { forgetfulDisk } from './scenarios/forgetful-disk.js';
import { fullDisk } from './scenarios/full-disk.js';
import { generatedRequests } from './scenarios/generated-requests.js';
import { kills } from './scenarios/kills.js';
import { killsAtRenames } from './scenarios/kills-at-renames.js';
import { powerCuts } from './scenarios/power-cuts.js';
import { readOnlyDisk } from './scenarios/read-only-disk.js';
import { scale as scaledOut } from './scenarios/scale.js';
import { slowClients } from './scenarios/slow-clients.js';
import { stopping } from './scenarios/stopping.js';

/**
 * @typedef {{
 *   folder: string,
 *   amount: (whole: number) => number,
 *   say: (line: string) => void,
 *   withoutFsync: 'files' | 'folders' | 'both' | null,
 * }} ScenarioContext
 *   `folder` is the scenario's own; `amount` is how many of `whole` to do
 * @typedef {{ title: string, run: (context: ScenarioContext) => Promise<Outcome> }} Scenario
 * @typedef {{ skipped: string } | { faults: string[], figures: Record<string, number | string> }} Outcome
 */

/** @type {Record<string, Scenario>} */
const SCENARIOS = {
  kills,
  'forgetful-disk': forgetfulDisk,
  'power-cuts': powerCuts,
  'kills-at-renames': killsAtRenames,
  'disk-errors': diskErrors,
  'full-disk': fullDisk,
  'read-only-disk': readOnlyDisk,
  descriptors,
  'aborted-uploads': abortedUploads,
  'slow-clients': slowClients,
  corpus,
  'generated-requests': generatedRequests,
  'early-answers': earlyAnswers,
  stopping,
  scale: scaledOut,
};

/** More of the same says nothing new. */
const FAULTS_SHOWN = 20;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { scale: { type: 'string', default: '1' }, 'without-fsync': { type: 'string' } },
});
const scale = Number(values.scale);
const withoutFsync = parseWithoutFsync(values['without-fsync']);
const names = positionals.length > 0 ? positionals : Object.keys(SCENARIOS);
const unknown = names.find((name) => !Object.hasOwn(SCENARIOS, name));
if (unknown !== undefined || Number.isNaN(scale)) {
  console.error(`torture: the scenarios are ${Object.keys(SCENARIOS).join(', ')}; --scale takes a number.`);
  process.exit(2);
}

await keepMountsToItself();

let passed = 0;
let failed = 0;
const workspace = await mkdtemp(join(tmpdir(), 'imgup-torture-'));
watchForInterruption(workspace);
try {
  for (const name of names) {
    const scenario = SCENARIOS[name];
    if (scenario === undefined) continue;
    const folder = join(workspace, name);
    await mkdir(folder);
    console.log(`\n== ${name}: ${scenario.title}`);
    const started = performance.now();
    const outcome = await attempt(scenario, {
      folder,
      amount: (whole) => Math.max(1, Math.round(whole * scale)),
      say: (line) => {
        console.log(`   ${line}`);
      },
      withoutFsync,
    });
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    if ('skipped' in outcome) {
      console.log(`skipped: ${outcome.skipped}`);
      continue;
    }
    const { faults, figures } = outcome;
    const told = Object.entries(figures).map(([what, figure]) => `${figure} ${what}`);
    if (told.length > 0) console.log(`   ${told.join(', ')}`);
    for (const fault of faults.slice(0, FAULTS_SHOWN)) console.log(`   FAULT: ${fault}`);
    if (faults.length > FAULTS_SHOWN) console.log(`   and ${faults.length - FAULTS_SHOWN} more`);
    console.log(`${faults.length === 0 ? 'passed' : `FAILED, ${faults.length} faults`} (${seconds} s)`);
    if (faults.length === 0) passed += 1;
    else failed += 1;
  }
} finally {
  await rm(workspace, { recursive: true, force: true });
}
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

/**
 * @param {Scenario} scenario
 * @param {ScenarioContext} context
 * @returns {Promise<Outcome>}
 */
async function attempt(scenario, context) {
  try {
    return await scenario.run(context);
  } catch (error) {
    return { faults: [error instanceof Error ? (error.stack ?? error.message) : String(error)], figures: {} };
  }
}

/** @param {string | undefined} text */
function parseWithoutFsync(text) {
  if (text === undefined || text === 'files' || text === 'folders' || text === 'both') return text ?? null;
  console.error('torture: --without-fsync takes "files", "folders" or "both".');
  return process.exit(2);
}
