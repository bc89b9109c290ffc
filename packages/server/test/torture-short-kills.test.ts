// In a file of its own, because it mostly waits.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { killRepeatedly } from '../../../torture/kill-repeatedly.js';
import { temporaryFolder } from './test-app.ts';

/** A process of its own cannot run the sources; `npm test` builds first. */
const isBuilt = existsSync(fileURLToPath(new URL('../dist/index.js', import.meta.url)));

test.skipIf(!isBuilt)(
  'what was acknowledged survives kill -9, and nothing is left of what was not',
  async () => {
    const data = join(await temporaryFolder(), 'data');
    const { faults, figures } = await killRepeatedly({ data, kills: 3 });
    expect(faults).toEqual([]);
    expect(figures.checked).toBeGreaterThan(figures.kills);
  },
  60_000,
);
