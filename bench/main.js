// How fast imgup is, next to what a user would pick instead, on the same machine and in the same run:
//
//     npm run bench                        everything
//     npm run bench -- --quick             in three minutes, without the servers on engines of their own (scale)
//     npm run bench -- receive start       some of it
//
// Prints tables and a verdict on each target, and ends with 1 where one is missed.
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { accounts } from './scenarios/accounts.js';
import { authentication } from './scenarios/authentication.js';
import { crowd } from './scenarios/crowd.js';
import { flat } from './scenarios/flat.js';
import { logIns } from './scenarios/log-ins.js';
import { memory } from './scenarios/memory.js';
import { receive } from './scenarios/receive.js';
import { scale } from './scenarios/scale.js';
import { start } from './scenarios/start.js';
import { table } from './statistics.js';

/**
 * @typedef {{ folder: string, quick: boolean, say: (line: string) => void }} Bench
 *   `folder` is the scenario's own
 * @typedef {{ what: string, value: number, target: number, atLeast?: boolean, unit: string }} Row
 *   a figure, which must be at most the target, or at least
 * @typedef {(bench: Bench) => Promise<{ rows: Row[], tables: string[] }>} Scenario
 */

/** @type {Record<string, Scenario>} */
const SCENARIOS = { start, receive, memory, 'log-ins': logIns, authentication, flat, accounts, crowd, scale };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false } },
});
const unknown = positionals.find((name) => !Object.hasOwn(SCENARIOS, name));
if (unknown !== undefined) {
  console.error(`bench: there is no "${unknown}"; there are ${Object.keys(SCENARIOS).join(', ')}.`);
  process.exit(2);
}

console.log(`${cpus().length} cores (${cpus()[0]?.model}), Node ${process.version}${values.quick ? ', quick' : ''}\n`);
const workspace = await mkdtemp(join(tmpdir(), 'imgup-bench-'));
/** @type {Row[]} */
const rows = [];
try {
  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    const isWanted = positionals.length > 0 ? positionals.includes(name) : !values.quick || name !== 'scale';
    if (!isWanted) continue;
    const folder = await mkdtemp(join(workspace, `${name}-`));
    const say = (/** @type {string} */ line) => console.error(`${name}: ${line}`);
    // Its files stay until the end: ext4 makes new ones slowly for minutes after many were removed (see scenarios/receive.js).
    const result = await scenario({ folder, quick: values.quick, say });
    console.log(result.tables.join('\n'));
    rows.push(...result.rows);
  }
} finally {
  await rm(workspace, { recursive: true, force: true });
}

const holds = ({ value, target, atLeast = false }) => (atLeast ? value >= target : value <= target);
console.log('### Targets\n');
console.log(
  table(
    ['what', 'measured', 'target', ''],
    rows.map((row) => [
      row.what,
      `${row.value.toFixed(2)} ${row.unit}`,
      `${row.atLeast === true ? 'at least' : 'at most'} ${row.target}`,
      holds(row) ? 'holds' : '**missed**',
    ]),
  ),
);
const missed = rows.filter((row) => !holds(row)).length;
console.log(`\n${rows.length - missed} of ${rows.length} targets hold.`);
process.exit(missed === 0 ? 0 : 1);
