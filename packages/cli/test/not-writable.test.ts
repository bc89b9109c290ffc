import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { asNobody } from './as-nobody.ts';
import { openWorld, PASSWORD, type World } from './world.ts';

const register = ['register', '--username', 'ada', '--password-stdin'];

/** A configuration folder in which nothing can be written. */
async function readOnly(world: World): Promise<string> {
  const folder = join(world.folder, 'config', 'imgup');
  await mkdir(folder, { recursive: true });
  await chmod(join(folder, 'config.json'), 0o444).catch(() => undefined); // there is none before the first log-in
  for (const above of [world.folder, join(world.folder, 'config')]) await chmod(above, 0o755);
  await chmod(folder, 0o555);
  onTestFinished(() => chmod(folder, 0o755));
  return folder;
}

describe.skipIf(process.platform === 'win32')('a configuration folder that cannot be written', () => {
  test('is said so with a way out, before anything is sent', async () => {
    const world = await openWorld();
    const folder = await readOnly(world);
    const { resolveCredentialStore } = await import('../src/credentials/resolve.ts');
    const { createSettings } = await import('../src/settings.ts');
    const { update } = createSettings(join(folder, 'config.json'));
    const credentials = () =>
      resolveCredentialStore({
        choice: undefined,
        remembered: undefined,
        directory: folder,
        env: { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent/bus' },
        remember: (kind) => update((data) => ({ ...data, credential_store: kind })),
        warn: () => undefined,
      });
    const outcome = await asNobody(() => world.imgup(register, { stdin: PASSWORD, context: { credentials } }));
    expect(outcome).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^imgup: The folder \S+ cannot be made or written to \(EACCES\); change its permissions, or name a folder of yours in XDG_CONFIG_HOME\.\n$/,
      ),
    });
    expect(world.asked()).toEqual([]);
  });

  test('does not keep a log-in that is good for a while from being used', async () => {
    const world = await openWorld();
    await world.register();
    await readOnly(world);
    expect(await asNobody(() => world.imgup(['whoami']))).toMatchObject({ code: 0 });
    world.clock.local += 3_600_000;
    expect(await asNobody(() => world.imgup(['whoami']))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('XDG_CONFIG_HOME'),
    });
  });

  test('nor does it matter to IMGUP_TOKEN', async () => {
    const world = await openWorld();
    await world.register();
    const token = (await world.record())?.access_token;
    await readOnly(world);
    const outcome = await asNobody(() => world.imgup(['whoami'], { env: { IMGUP_TOKEN: token } }));
    expect(outcome).toMatchObject({ code: 0 });
  });
});
