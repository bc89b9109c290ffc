import { execFile, spawnSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { undoIfInterrupted } from './interruption.js';

const exec = promisify(execFile);

/** @returns {string | null} why nothing can be mounted here */
export function mountMissing() {
  if (process.getuid?.() !== 0) return 'disks are mounted by root alone';
  return spawnSync('mount', ['--version']).status === 0 ? null : 'there is no mount here';
}

/**
 * A disk in memory.
 *
 * @param {string} at
 * @param {string} size as mount has it: "4m"
 */
export async function mountSmallDisk(at, size) {
  await mkdir(at, { recursive: true });
  await exec('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'imgup-torture', at]);
  return { unmount: unmounterOf(at) };
}

/**
 * Makes a folder read-only for whoever opens files in it from now on.
 *
 * @param {string} folder
 */
export async function makeReadOnly(folder) {
  await exec('mount', ['--bind', folder, folder]);
  await exec('mount', ['-o', 'remount,bind,ro', folder]);
  return { undo: unmounterOf(folder) };
}

/** @param {string} at */
function unmounterOf(at) {
  const undone = undoIfInterrupted(() => spawnSync('umount', ['--lazy', at]));
  return async () => {
    undone();
    await exec('umount', ['--lazy', at]);
  };
}
