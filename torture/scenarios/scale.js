import { scaleOut } from '../scale-out.js';
import { whyNoEngines } from '../shared-engines.js';

/** @type {import('../main.js').Scenario} */
export const scale = {
  title: 'three servers, one database, one store: 40 kills under mixed load, and what must hold exactly',
  async run({ folder, amount, say }) {
    const missing = await whyNoEngines();
    return missing === null ? scaleOut({ folder, rounds: amount(10), say }) : { skipped: missing };
  },
};
