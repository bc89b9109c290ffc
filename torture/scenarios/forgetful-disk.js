import { createApp } from '../../packages/server/dist/index.js';
import { cutPowerInMemory } from '../cut-power-in-memory.js';

/** @type {import('../main.js').Scenario} */
export const forgetfulDisk = {
  title: '200 power cuts on a disk that forgets what was not fsynced, every other one after a kill',
  run: ({ folder, amount, withoutFsync }) =>
    cutPowerInMemory({ folder, createApp, cuts: amount(200), milliseconds: 4000, ignore: withoutFsync }),
};
