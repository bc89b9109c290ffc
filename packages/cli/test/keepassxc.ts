import { spawn, spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startAnew } from '../../../scripts/start-anew.js';
import { endGroup, startSessionBus, untilKeyringIsOpen, type SessionBus } from './secret-service.ts';

export const KEEPASSXC_MISSING = 'no KeePassXC here: apt-get install --no-install-recommends keepassxc';

const INSTALLED =
  process.platform === 'linux' && spawnSync('keepassxc-cli', ['--version'], { stdio: 'ignore' }).error === undefined;

const PASSWORD = 'password of the test database';
const ROOT_GROUP = '04d15646-7b5a-4b24-91ad-378d2636e2da';

/** Only a database whose settings name a group serves secrets, and only the graphical program or an import can set that. */
const DATABASE = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<KeePassFile>
  <Meta>
    <CustomData>
      <Item><Key>FDO_SECRETS_EXPOSED_GROUP</Key><Value>{${ROOT_GROUP}}</Value></Item>
    </CustomData>
  </Meta>
  <Root>
    <Group>
      <UUID>${Buffer.from(ROOT_GROUP.replaceAll('-', ''), 'hex').toString('base64')}</UUID>
      <Name>Passwords</Name>
    </Group>
  </Root>
</KeePassFile>`;

export interface KeePassXcOptions {
  /** Started without the database's password, so that it waits for a person who never comes. */
  locked?: boolean;
  /** Whether a search asks for the password (its default) or finds nothing while the database is locked. */
  unlockBeforeSearch?: boolean;
}

export interface KeePassXc extends SessionBus {
  hasEnded(): boolean;
}

/** Where KeePassXC has ended by itself: on a busy machine it crashes now and then. */
export const AGAIN = { count: 2, condition: /disconnected from message bus|No keychain is running/ };

/** A KeePassXC of its own, without a screen, on a bus of its own; null where it is not installed. */
export async function startKeePassXc(options: KeePassXcOptions = {}): Promise<KeePassXc | null> {
  return INSTALLED ? startAnew('KeePassXC', () => startOnce(options)) : null;
}

async function startOnce({ locked = false, unlockBeforeSearch = true }: KeePassXcOptions): Promise<KeePassXc | null> {
  const bus = await startSessionBus();
  if (!bus) return null;
  const home = bus.env['HOME'] ?? '';
  // It allows one instance for each temporary folder, and a person's own may be running.
  const env = { ...bus.env, QT_QPA_PLATFORM: 'offscreen', TMPDIR: home };
  const config = join(home, 'config', 'keepassxc');
  await mkdir(config, { recursive: true });
  await writeFile(
    join(config, 'keepassxc.ini'),
    // While a disk is busy it takes its own saving for somebody else's, asks what to do, and hangs or crashes.
    `[General]\nConfigVersion=2\nUpdateCheckMessageShown=true\nAutoSaveAfterEveryChange=false\nAutoReloadOnChange=false\n[GUI]\nCheckForUpdates=false\n` +
      `[FdoSecrets]\nEnabled=true\nConfirmAccessItem=false\nConfirmDeleteItem=false\nShowNotification=false\n` +
      `UnlockBeforeSearch=${unlockBeforeSearch}\n`,
  );
  const xml = join(home, 'database.xml');
  const database = join(home, 'database.kdbx');
  await writeFile(xml, DATABASE);
  const imported = spawnSync('keepassxc-cli', ['import', '-p', xml, database], {
    env,
    input: `${PASSWORD}\n${PASSWORD}\n`,
    encoding: 'utf8',
  });
  if (imported.status !== 0) {
    await bus.stop();
    throw new Error(`keepassxc-cli import failed: ${imported.stderr}`);
  }

  const program = spawn('keepassxc', [...(locked ? [] : ['--pw-stdin']), database], {
    env,
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  if (!locked) program.stdin.write(`${PASSWORD}\n`);
  const stop = async (): Promise<void> => {
    await endGroup(program);
    await bus.stop();
  };
  try {
    await untilKeyringIsOpen(bus.env);
  } catch (error) {
    await stop();
    throw error;
  }
  return { env: bus.env, stop, hasEnded: () => program.exitCode !== null || program.signalCode !== null };
}
