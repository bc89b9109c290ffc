import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { env as plain } from './server-process.js';

/**
 * A gnome-keyring of its own, unlocked, on a bus of its own; null where one of them is not installed.
 *
 * @returns {Promise<{ env: NodeJS.ProcessEnv, stop: () => Promise<void> } | null>}
 */
export async function startKeychain() {
  const home = await mkdtemp(join(tmpdir(), 'imgup-bench-keychain-'));
  const socket = join(home, 'bus');
  const configuration = join(home, 'bus.conf');
  await mkdir(join(home, 'run'), { mode: 0o700 });
  await writeFile(
    configuration,
    `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
      "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
    <busconfig>
      <type>session</type><listen>unix:path=${socket}</listen><auth>EXTERNAL</auth>
      <policy context="default">
        <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
      </policy>
    </busconfig>`,
  );
  const env = {
    ...plain,
    HOME: home,
    XDG_RUNTIME_DIR: join(home, 'run'),
    XDG_DATA_HOME: join(home, 'data'),
    DBUS_SESSION_BUS_ADDRESS: `unix:path=${socket}`,
    DISPLAY: undefined,
    WAYLAND_DISPLAY: undefined,
  };
  /** @type {import('node:child_process').ChildProcess[]} */
  const children = [];
  const stop = async () => {
    for (const child of children) child.kill('SIGKILL');
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const bus = spawn('dbus-daemon', [`--config-file=${configuration}`, '--nofork', '--print-address=1'], {
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    children.push(bus);
    await Promise.race([once(bus.stdout, 'data'), once(bus, 'error').then(([error]) => Promise.reject(error))]);
    const keyring = spawn('gnome-keyring-daemon', ['--foreground', '--unlock', '--components=secrets'], {
      env,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    children.push(keyring);
    keyring.on('error', () => undefined);
    keyring.stdin.end('password of the keyring');
    await delay(2_000);
    if (keyring.exitCode !== null || keyring.pid === undefined) throw new Error('no keyring');
    return { env, stop };
  } catch {
    await stop();
    return null;
  }
}
