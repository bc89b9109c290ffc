import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

/** Set in the environment of the program that runs so already. */
const MARK = 'IMGUP_TORTURE_OWN_MOUNTS';

/**
 * Runs this program again where nobody else sees what it mounts, and ends with it; does nothing where that cannot be had.
 *
 * Whoever copies the machine's mounts meanwhile, as a container does that is started, keeps a disk in use after it has
 * been unmounted here; the next power cut would then show that old disk, and everything since as lost.
 */
export async function keepMountsToItself() {
  if (process.env[MARK] !== undefined || spawnSync('unshare', ['--mount', 'true']).status !== 0) return;
  const again = ['--mount', process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const child = spawn('unshare', again, { stdio: 'inherit', env: { ...process.env, [MARK]: '1' } });
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  // A terminal sends these to both.
  for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, () => undefined);
  const [code] = await once(child, 'exit');
  process.exit(typeof code === 'number' ? code : 1);
}
