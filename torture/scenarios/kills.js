import { join } from 'node:path';
import { killRepeatedly } from '../kill-repeatedly.js';

/** @type {import('../main.js').Scenario} */
export const kills = {
  title: '200 kills under mixed load, everything that was acknowledged asked for after each',
  run: ({ folder, amount, say }) => killRepeatedly({ data: join(folder, 'data'), kills: amount(200), say }),
};
