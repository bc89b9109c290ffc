import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { startAnew } from '../../../scripts/start-anew.js';
import { createKeychainStore } from '../src/credentials/keychain.ts';

export interface SessionBus {
  /** What a program needs to find this bus and nothing of the machine's own session. */
  env: NodeJS.ProcessEnv;
  /** Ends everything that was started, and removes its folder. */
  stop(): Promise<void>;
}

export interface SecretService extends SessionBus {
  /** Locks the keyring. Its prompt is then dismissed at once, or never answered with `unansweredPrompt`. */
  lock(): Promise<void>;
  /** How many secrets are stored for a service, as the provider counts them. */
  count(service: string): Promise<number>;
  /** From now on gnome-keyring cannot write its files, as on a full disk. */
  refuseWrites(): Promise<void>;
  /** Stops gnome-keyring as SIGSTOP does: it owns its name on the bus and never answers. */
  hang(): void;
  /** Lets it go on. */
  resume(): void;
}

const INSTALLED =
  process.platform === 'linux' &&
  ['dbus-daemon', 'gnome-keyring-daemon', 'dbus-send', 'prlimit'].every(
    (program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined,
  );

export const MISSING = 'no Secret Service here: apt-get install gnome-keyring dbus-user-session';

const run = promisify(execFile);

/** A D-Bus session of its own on which nothing serves secrets; null where dbus-daemon is not installed. */
export async function startSessionBus(options: { unansweredPrompt?: boolean } = {}): Promise<SessionBus | null> {
  if (!INSTALLED) return null;
  const home = await mkdtemp(join(tmpdir(), 'imgup-bus-'));
  const runtime = join(home, 'run');
  const services = join(home, 'services');
  await mkdir(runtime, { mode: 0o700 });
  await mkdir(services);
  if (options.unansweredPrompt) {
    // The bus starts this to show a prompt, and then waits for it for as long as the limit below says.
    const entry = '[D-BUS Service]\nName=org.gnome.keyring.SystemPrompter\nExec=/bin/sleep 60\n';
    await writeFile(join(services, 'prompter.service'), entry);
  }
  const socket = join(home, 'bus');
  const configuration = join(home, 'bus.conf');
  // The machine's own configuration would start the machine's own gnome-keyring when it is asked for.
  await writeFile(
    configuration,
    `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
      "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
    <busconfig>
      <type>session</type>
      <listen>unix:path=${socket}</listen>
      <auth>EXTERNAL</auth>
      <servicedir>${services}</servicedir>
      <policy context="default">
        <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
      </policy>
      <limit name="service_start_timeout">120000</limit>
    </busconfig>`,
  );
  const env = {
    ...process.env,
    HOME: home,
    XDG_RUNTIME_DIR: runtime,
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_DATA_HOME: join(home, 'data'),
    XDG_STATE_HOME: join(home, 'state'),
    XDG_CACHE_HOME: join(home, 'cache'),
    DBUS_SESSION_BUS_ADDRESS: `unix:path=${socket}`,
    DISPLAY: undefined,
    WAYLAND_DISPLAY: undefined,
  };
  // A process group of its own, so that what the bus starts is ended with it.
  const bus = spawn('dbus-daemon', [`--config-file=${configuration}`, '--nofork', '--print-address=1'], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  await once(bus.stdout, 'data');
  bus.stdout.destroy();

  return {
    env,
    async stop() {
      await endGroup(bus);
      await rm(home, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}

/**
 * A gnome-keyring of its own with an unlocked keyring, on a bus of its own, or null where one of them is not installed.
 * Nothing of the person's own session is touched.
 */
export function startSecretService(options: { unansweredPrompt?: boolean } = {}): Promise<SecretService | null> {
  return startAnew('gnome-keyring', () => startOnce(options));
}

async function startOnce(options: { unansweredPrompt?: boolean }): Promise<SecretService | null> {
  const bus = await startSessionBus(options);
  if (!bus) return null;
  // SIGXFSZ is ignored so that `refuseWrites` is an error for gnome-keyring and not its end.
  const keyring = spawn(
    'sh',
    ['-c', "trap '' XFSZ; exec gnome-keyring-daemon --foreground --unlock --components=secrets"],
    { env: bus.env, stdio: ['pipe', 'ignore', 'ignore'], detached: true },
  );
  keyring.stdin.end('password of the test keyring');
  const stop = async (): Promise<void> => {
    await endGroup(keyring);
    await bus.stop();
  };

  try {
    await untilKeyringIsOpen(bus.env);
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    env: bus.env,
    stop,
    async lock() {
      await call(
        bus.env,
        'org.freedesktop.Secret.Service.Lock',
        'array:objpath:/org/freedesktop/secrets/aliases/default',
      );
    },
    async count(service) {
      const search = ['org.freedesktop.Secret.Service.SearchItems', `dict:string:string:service,${service}`];
      return (await call(bus.env, ...search)).stdout.split('object path').length - 1;
    },
    async refuseWrites() {
      await run('prlimit', ['--pid', String(keyring.pid), '--fsize=0:']);
    },
    hang() {
      keyring.kill('SIGSTOP');
    },
    resume() {
      keyring.kill('SIGCONT');
    },
  };
}

/** What a machine that is busy adds to the time of a failure, at the most, in milliseconds: a start, and twice that for the limit. */
export async function busyTime(): Promise<number> {
  const startedAt = performance.now();
  const nowhere = createKeychainStore({
    env: { ...process.env, DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent/bus' },
  });
  await nowhere.probe('imgup-test').catch(() => undefined);
  nowhere.close();
  return 3 * (performance.now() - startedAt);
}

/** Waits for a Secret Service to come up and to have a keyring that it writes to. */
export async function untilKeyringIsOpen(env: NodeJS.ProcessEnv): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      const { stdout } = await call(env, 'org.freedesktop.Secret.Service.ReadAlias', 'string:default');
      if (stdout.includes('/collection/')) return;
      throw new Error('the Secret Service has no keyring yet');
    } catch (error) {
      if (attempt === 200) throw error;
      await delay(50);
    }
  }
}

function call(env: NodeJS.ProcessEnv, ...request: string[]): Promise<{ stdout: string }> {
  const service = ['--dest=org.freedesktop.secrets', '/org/freedesktop/secrets'];
  return run('dbus-send', ['--session', '--print-reply', ...service, ...request], { env });
}

/** Ends a process that was started as the leader of a group, and what it has started. */
export async function endGroup(leader: ChildProcess): Promise<void> {
  if (leader.pid === undefined || leader.exitCode !== null || leader.signalCode !== null) return;
  const ended = once(leader, 'exit');
  process.kill(-leader.pid, 'SIGKILL');
  await ended;
}
