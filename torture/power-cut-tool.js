import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { undoIfInterrupted } from './interruption.js';

const exec = promisify(execFile);

/**
 * A program that can cut the power of a disk: `power-cut start WORK` mounts a disk at WORK/disk, `power-cut cut WORK`
 * mounts at WORK/after what would be left of it now, `power-cut end WORK` unmounts both.
 *
 * @returns {string | null} why it cannot be used here
 */
export function powerCutMissing() {
  if (!process.env['IMGUP_POWER_CUT']) return 'IMGUP_POWER_CUT does not name a program that cuts the power of a disk';
  return process.getuid?.() === 0 ? null : 'disks are mounted by root alone';
}

/** @param {string} work */
export async function openDisk(work) {
  const tool = process.env['IMGUP_POWER_CUT'] ?? '';
  await exec(tool, ['start', work]);
  const undone = undoIfInterrupted(() => spawnSync(tool, ['end', work]));
  return {
    disk: join(work, 'disk'),
    async cut() {
      await exec(tool, ['cut', work]);
      return join(work, 'after');
    },
    async end() {
      undone();
      await exec(tool, ['end', work]);
    },
  };
}
