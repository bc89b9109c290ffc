// The short form of `npm run torture -- scale`, in a file of its own, because it mostly waits.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { scaleOut } from '../../../torture/scale-out.js';
import { whyNoEngines } from '../../../torture/shared-engines.js';
import { temporaryFolder } from './test-app.ts';

/** A process of its own cannot run the sources; `npm test` builds first. */
const isBuilt = existsSync(fileURLToPath(new URL('../dist/index.js', import.meta.url)));

const missing = await whyNoEngines();
if (missing !== null) console.log(`${missing}: servers that share engines are not killed.`);

test.skipIf(!isBuilt || missing !== null)(
  'three servers on one database and one store lose nothing that was acknowledged, whichever part is killed or hangs',
  async () => {
    const { faults, figures } = await scaleOut({ folder: await temporaryFolder(), rounds: 1 });
    console.log(figures);
    expect(faults).toEqual([]);
    expect(figures['checked']).toBeGreaterThan(100);
  },
  300_000,
);
