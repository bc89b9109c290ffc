import { chown, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createApp } from '@imgup/server';
import { describe, expect, test } from 'vitest';
import { openWorld, PASSWORD, type World } from './world.ts';

const SECOND = 1000;

/** A person with one picture, and the data folder of their server. */
async function openWorldWithPicture() {
  const world = await openWorld();
  await world.register('ada');
  const { stdout } = await world.imgup(['upload', await world.picture()]);
  const [, owner = '', name = ''] = /\/i\/([^/]+)\/(.+)\n/.exec(stdout) ?? [];
  const data = join(world.folder, 'data');
  const admin = (...args: string[]) => world.imgup(['admin', ...args, '--data', data]);
  return { world, data, admin, path: `images/${owner}/${name}`, picture: join(data, 'images', owner, name) };
}

/** Whether a server on this folder logs ada in, and shows the picture. */
async function works(data: string, path: string): Promise<boolean[]> {
  const app = await createApp({ data, passwordCost: 4 });
  const login = await app.fetch(
    new Request('http://imgup.test/api/login', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ username: 'ada', password: PASSWORD }),
    }),
  );
  const picture = await app.fetch(new Request(`http://imgup.test/${path.replace('images', 'i')}`));
  await app.close();
  return [login.ok, picture.ok];
}

describe('admin check', () => {
  test('says so where nothing is wrong, also while the server runs', async () => {
    const { admin } = await openWorldWithPicture();
    expect(await admin('check')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'Checked the data of 1 user with 1 picture: nothing is wrong.\n',
    });
    const { code, stdout } = await admin('check', '--json');
    expect({ code, ...JSON.parse(stdout) }).toMatchObject({ code: 0, pictures: 1, users: 1, findings: [] });
  });

  test('names what is wrong with exit code 1, and mends it with the server stopped', async () => {
    const { world, data, admin, path, picture } = await openWorldWithPicture();
    await rm(picture);
    const record = path.replace('.png', '.json');
    const found = await admin('check');
    expect(found).toEqual({
      code: 1,
      stdout: `${record}: a record without its picture\n`,
      stderr:
        'imgup: 1 thing is wrong in the data of 1 user with 0 pictures; stop the server and run `imgup admin check --repair`.\n',
    });
    const refused = await admin('check', '--repair');
    expect(refused).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('stop that one') as string });

    await world.app.close();
    const mended = await admin('check', '--repair');
    expect(mended).toMatchObject({ code: 0, stdout: `${record}: a record without its picture (mended)\n` });
    const [, folder = ''] = /taken out is in (.+);/.exec(mended.stderr) ?? [];
    expect(folder.startsWith(join(data, 'lost+found'))).toBe(true);
    expect(await readdir(folder, { recursive: true })).toContain(record);
    expect(await admin('check')).toMatchObject({ code: 0, stdout: '' });
  });

  test('--json is one document, the findings and the error in it', async () => {
    const { world, data, admin } = await openWorldWithPicture();
    await world.app.close();
    await writeFile(join(data, 'secret'), 'short');
    const { code, stdout } = await admin('check', '--repair', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      findings: [{ kind: 'secret_damaged', path: 'secret', mended: false }],
      lost_and_found: null,
      error: { code: 'findings', exit_code: 1, message: expect.stringContaining('only a person can mend') as string },
    });
  });

  test('looks where `imgup serve` would', async () => {
    const { world, data } = await openWorldWithPicture();
    const env = { IMGUP_DATA: data };
    expect(await world.imgup(['admin', 'check'], { env })).toMatchObject({ code: 0 });
    const nowhere = await world.imgup(['admin', 'check'], { env: { XDG_DATA_HOME: join(world.folder, 'none') } });
    expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringContaining('--data') as string });
    expect(await world.imgup(['admin', 'check'], { env: { ...env, IMGUP_PORT: 'x' } })).toMatchObject({ code: 2 });
  });
});

describe('admin backup and restore', () => {
  test.each(['backup', 'backup.tar'])('carry a server over to another folder as %s', async (name) => {
    const { world, admin, path } = await openWorldWithPicture();
    const target = join(world.folder, name);
    expect(await admin('backup', target)).toEqual({
      code: 0,
      stdout: `${target}\n`,
      stderr:
        "Backed up 1 user and 1 picture, and read them back.\nIt holds the server's secret and all accounts: keep it as safe as the server itself.\n",
    });
    const data = join(world.folder, 'elsewhere');
    expect(await world.imgup(['admin', 'restore', target, '--data', data])).toEqual({
      code: 0,
      stdout: '',
      stderr: `Restored 1 user and 1 picture into ${data}.\n`,
    });
    expect(await works(data, path)).toEqual([true, true]);
  });

  test('print what was done as JSON', async () => {
    const { world, admin } = await openWorldWithPicture();
    const path = join(world.folder, 'backup');
    const backup = await admin('backup', path, '--json');
    expect(JSON.parse(backup.stdout)).toMatchObject({ path, pictures: 1, users: 1, secret: true });
    const data = join(world.folder, 'elsewhere');
    const restore = await world.imgup(['admin', 'restore', path, '--data', data, '--json']);
    expect(JSON.parse(restore.stdout)).toMatchObject({ data, pictures: 1, users: 1, secret: true });
  });

  test('say where the secret is, where it is not in the data folder', async () => {
    const { world, data, admin } = await openWorldWithPicture();
    await rm(join(data, 'secret'));
    const env = { IMGUP_SECRET: 'ab'.repeat(32) };
    const target = join(world.folder, 'backup');
    const backup = await world.imgup(['admin', 'backup', target, '--data', data], { env });
    expect(backup.stderr).toContain('The secret is not in it: keep IMGUP_SECRET too');
    expect((await admin('backup', `${target}-2`)).stderr).toContain(`keep ${join(data, 'secret')} too`);
    const restore = await world.imgup(['admin', 'restore', target, '--data', join(world.folder, 'elsewhere')]);
    expect(restore.stderr).toContain('The backup holds no secret');
  });

  test('refuse in one sentence what they cannot do', async () => {
    const { world, admin } = await openWorldWithPicture();
    const target = join(world.folder, 'backup');
    await admin('backup', target);
    const refusals = [
      await admin('backup', target),
      await admin('backup', join(world.folder, 'none', 'backup')),
      await admin('backup', `${target}.zip`),
      await admin('restore', target),
      await admin('restore', join(world.folder, 'none')),
    ];
    for (const { code, stdout, stderr } of refusals) {
      expect({ code, stdout, lines: stderr.match(/\n/g)?.length }).toEqual({ code: 1, stdout: '', lines: 1 });
    }
    await world.app.close();
    expect((await admin('restore', target)).stderr).toContain('is not empty');
  });

  test('leave nothing when they are interrupted', async () => {
    const { world, data } = await openWorldWithPicture();
    const context = { interrupted: () => AbortSignal.abort(new Error('Interrupted.')) };
    const target = join(world.folder, 'backup');
    const { code } = await world.imgup(['admin', 'backup', target, '--data', data], { context });
    expect(code).toBe(1);
    expect((await readdir(world.folder)).filter((name) => name.startsWith('backup'))).toEqual([]);
  });
});

describe('admin rotate-secret', () => {
  async function tokenWorks({ world }: { world: World }): Promise<boolean> {
    return (await world.imgup(['whoami'])).code === 0;
  }

  test('gives a new secret that a running server takes, and sessions go on', async () => {
    const place = await openWorldWithPicture();
    const secret = join(place.data, 'secret');
    const before = await readFile(secret, 'utf8');
    expect(await place.admin('rotate-secret')).toEqual({
      code: 0,
      stdout: '',
      stderr: `${secret} holds a new secret; a server that runs with this file takes it within 2 s, and everyone stays logged in.\n`,
    });
    expect(await readFile(secret, 'utf8')).toContain(before.trim());
    await new Promise((resolve) => setTimeout(resolve, 3 * SECOND));
    expect(await tokenWorks(place)).toBe(true);
  });

  test('--forget-old ends every session', async () => {
    const place = await openWorldWithPicture();
    const { stdout } = await place.admin('rotate-secret', '--forget-old', '--json');
    expect(JSON.parse(stdout)).toEqual({ secret_file: join(place.data, 'secret'), forgot_old: true });
    await new Promise((resolve) => setTimeout(resolve, 3 * SECOND));
    expect(await tokenWorks(place)).toBe(false);
  });

  test('works on a file elsewhere, and not on a variable', async () => {
    const { world, data, admin } = await openWorldWithPicture();
    const file = join(world.folder, 'elsewhere');
    await writeFile(file, `${'ab'.repeat(32)}\n`, { mode: 0o600 });
    expect(await admin('rotate-secret', '--secret-file', file)).toMatchObject({ code: 0 });
    expect(await readFile(file, 'utf8')).toMatch(/^[0-9a-f]{64}\n(ab){32} /);
    const env = { IMGUP_SECRET: 'ab'.repeat(32) };
    const refused = await world.imgup(['admin', 'rotate-secret', '--data', data], { env });
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('IMGUP_SECRET') as string });
    expect(await admin('rotate-secret', '--secret-file', join(world.folder, 'none'))).toMatchObject({ code: 1 });
  });
});

describe('with the accounts in a database', () => {
  const env = { IMGUP_ACCOUNTS: 'postgres://imgup:hunter2@127.0.0.1:1/imgup', IMGUP_SECRET: 'ab'.repeat(32) };

  test('check looks at the pictures alone, and says so', async () => {
    const { world, data } = await openWorldWithPicture();
    await world.app.close();
    for (const name of ['db.json', 'db.json.previous']) await rm(join(data, name));
    const check = (variables: NodeJS.ProcessEnv) => world.imgup(['admin', 'check', '--data', data], { env: variables });
    expect(await check({})).toMatchObject({ code: 1, stdout: expect.stringContaining('IMGUP_ACCOUNTS') as string });
    expect(await check(env)).toEqual({
      code: 0,
      stdout: '',
      stderr:
        'The accounts are in the database of IMGUP_ACCOUNTS, and are not looked at.\nChecked the data of 0 users with 1 picture: nothing is wrong.\n',
    });
  });

  test('backup, restore and rotate-secret do nothing, and say what to do instead', async () => {
    const { world, data } = await openWorldWithPicture();
    const target = join(world.folder, 'backup');
    const admin = (...args: string[]) => world.imgup(['admin', ...args], { env });
    const says = (words: string) => ({ code: 1, stdout: '', stderr: expect.stringContaining(words) as string });
    expect(await admin('backup', target, '--data', data)).toMatchObject(says('pg_dump'));
    expect(await admin('restore', target, '--data', join(world.folder, 'empty'))).toMatchObject(says('pg_restore'));
    expect(await admin('rotate-secret', '--data', data)).toMatchObject(says('IMGUP_SECRET'));
    expect(await readdir(world.folder)).not.toContain('backup');
  });
});

test.skipIf(process.getuid?.() !== 0)('root is told to act as the user whose folder it is', async () => {
  const { world, data, admin } = await openWorldWithPicture();
  await world.app.close();
  await chown(data, 4747, 4747);
  const backup = join(world.folder, 'backup');
  expect(await admin('check')).toMatchObject({ code: 0 });
  expect(await admin('backup', backup)).toMatchObject({ code: 0 });
  const before = await stat(join(data, 'secret'));
  const empty = join(world.folder, 'empty');
  await mkdir(empty);
  await chown(empty, 4747, 4747);
  for (const outcome of [
    await admin('check', '--repair'),
    await admin('rotate-secret'),
    await world.imgup(['admin', 'restore', backup, '--data', empty]),
  ]) {
    expect(outcome).toMatchObject({ code: 1, stderr: expect.stringContaining('4747') as string });
  }
  expect((await stat(join(data, 'secret'))).mtimeMs).toBe(before.mtimeMs);
  expect(await readdir(empty)).toEqual([]);
});

test('admin alone shows its commands, and wrong usage is exit code 2', async () => {
  const { imgup } = await openWorld();
  const help = await imgup(['admin', '--help']);
  expect(help).toMatchObject({ code: 0 });
  for (const name of ['check', 'backup', 'restore', 'rotate-secret']) expect(help.stdout).toContain(`\n  ${name}`);
  expect(await imgup(['admin', 'backup'])).toMatchObject({ code: 2 });
  expect(await imgup(['admin', 'chekc'])).toMatchObject({ code: 2 });
  const alone = await imgup(['admin']);
  expect(alone).toMatchObject({ code: 2, stdout: '' });
  expect(alone.stderr).toMatch(/\n {2}check .*\nimgup: Name one of the commands above\.\n$/s);
});
