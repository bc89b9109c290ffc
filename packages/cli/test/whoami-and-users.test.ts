import { describe, expect, test } from 'vitest';
import { openWorld, rewriting, SERVER, type World } from './world.ts';

describe('whoami', () => {
  test('shows name, role, server, device, session, where the tokens are, and the uploads left', async () => {
    const world = await openWorld();
    await world.register('ada', ['--device', 'laptop']);
    await world.imgup(['upload', await world.picture()]);
    expect(await world.imgup(['whoami'])).toEqual({
      code: 0,
      stdout: [
        'name     ada',
        'role     admin',
        `server   ${SERVER}`,
        'device   laptop',
        'session  until 2026-01-31 12:00 UTC',
        'tokens   in memory',
        'uploads  4 of 5 left in 60 s',
        '',
      ].join('\n'),
      stderr: '',
    });
  });

  test('--json is one document', async () => {
    const world = await openWorld();
    await world.register('ada', ['--device', 'laptop']);
    const { code, stdout, stderr } = await world.imgup(['--json', 'whoami']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      server: SERVER,
      username: 'ada',
      role: 'admin',
      device: 'laptop',
      session_expires_at: '2026-01-31T12:00:00.000Z',
      credential_store: 'memory',
      uploads: { limit: 5, window_seconds: 60, remaining: 5 },
    });
  });

  test('without a log-in has exit code 4, and --json holds the error', async () => {
    const world = await openWorld();
    const message = `You are not logged in at ${SERVER}; run \`imgup login\`.`;
    expect(await world.imgup(['whoami', '--json'])).toEqual({
      code: 4,
      stdout: `${JSON.stringify({ error: { code: 'not_logged_in', message, exit_code: 4 } })}\n`,
      stderr: `imgup: ${message}\n`,
    });
  });
});

describe('users', () => {
  test('lists the accounts in a table, without their hashes', async () => {
    const world = await openWorld();
    await world.register('administrator');
    world.clock.server += 1;
    await world.register('bob');
    const outcome = await world.imgup(['users', '--account', 'administrator']);
    expect(outcome).toEqual({
      code: 0,
      stdout: [
        'NAME           ROLE   SINCE       PASSWORD',
        'administrator  admin  2026-01-01  bcrypt, cost 4',
        'bob            user   2026-01-01  bcrypt, cost 4',
        '',
      ].join('\n'),
      stderr: '',
    });
  });

  test('--json is what the server answers', async () => {
    const world = await openWorld();
    await world.register('ada');
    const { code, stdout } = await world.imgup(['users', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ users: [{ username: 'ada', role: 'admin' }] });
  });

  test('is for the administrator only, and says so', async () => {
    const world = await openWorld();
    await world.register('ada');
    await world.register('bob');
    expect(await world.imgup(['users'])).toEqual({
      code: 1,
      stdout: '',
      stderr: `imgup: Only an administrator of ${SERVER} may do this; ask one, or choose with --account.\n`,
    });
  });

  test('a name with escape sequences in it cannot steer the terminal', async () => {
    const world = await openWorld();
    await world.register('ada');
    world.network.way = rewriting((text) => text.replaceAll('ada', '\\u001b[2Ja\\u202ed\\u009ba\\n!'));
    const table = await world.imgup(['users']);
    expect(table.stdout).toMatch(/\nad[^\p{Cc}]* *!/u);
    expect(table.stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u);
    const json = await world.imgup(['users', '--json']);
    expect(json.stdout.trim()).not.toMatch(/[\p{Cc}\u202e]/u);
    expect(JSON.parse(json.stdout).users[0].username).toBe('\u001b[2Ja\u202ed\u009ba\n!');
  });
});

describe('users rm', () => {
  const asAdmin = ['--account', 'ada'];

  async function openWithBob() {
    const world = await openWorld();
    await world.register('ada');
    // They are listed by their time alone, and this clock stands still.
    world.clock.server += 1;
    await world.register('bob');
    const { stdout } = await world.imgup(['upload', await world.picture()]);
    world.asked();
    return { world, link: stdout.trim() };
  }

  async function names(world: World): Promise<string[]> {
    const { stdout } = await world.imgup(['users', '--json', ...asAdmin]);
    return (JSON.parse(stdout) as { users: { username: string }[] }).users.map(({ username }) => username);
  }

  test('asks, and then removes the account, its sessions and its pictures', async () => {
    const { world, link } = await openWithBob();
    const outcome = await world.imgup(['users', 'rm', 'bob', ...asAdmin], { terminal: true, answers: ['yes'] });
    expect(outcome).toEqual({
      code: 0,
      stdout: '',
      stderr: `Removed bob from ${SERVER}, and their pictures.\n`,
    });
    expect(await names(world)).toEqual(['ada']);
    expect((await world.app.fetch(new Request(link))).status).toBe(404);
    expect(await world.imgup(['whoami', '--account', 'bob'])).toMatchObject({ code: 4 });
  });

  test('removes nothing where the answer is no', async () => {
    const { world } = await openWithBob();
    const outcome = await world.imgup(['users', 'rm', 'bob', ...asAdmin], { terminal: true, answers: ['no'] });
    expect(outcome).toMatchObject({ code: 1, stderr: 'imgup: Nothing was removed.\n' });
    expect(world.asked()).toEqual([]);
  });

  test('without a terminal needs --yes', async () => {
    const { world, link } = await openWithBob();
    const refused = await world.imgup(['users', 'rm', 'bob', ...asAdmin]);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') });
    expect(world.asked()).toEqual([]);
    const args = ['users', 'rm', 'BOB', '--yes', '--keep-images', '--json', ...asAdmin];
    const { code, stdout } = await world.imgup(args);
    expect({ code, ...JSON.parse(stdout) }).toEqual({ code: 0, server: SERVER, username: 'BOB', images: 'kept' });
    expect(await names(world)).toEqual(['ada']);
    expect((await world.app.fetch(new Request(link))).status).toBe(200);
  });

  test.each(['eve', '..', 'a/../../b', '%2e%2e'])('of %s, whom nobody knows, says so', async (name) => {
    const { world } = await openWithBob();
    expect(await world.imgup(['users', 'rm', name, '--yes', ...asAdmin])).toEqual({
      code: 1,
      stdout: '',
      stderr: `imgup: ${SERVER} has no account "${name}"; \`imgup users\` lists them.\n`,
    });
    expect(await names(world)).toEqual(['ada', 'bob']);
  });

  test('does not remove the last administrator, nor anybody for anybody else', async () => {
    const { world } = await openWithBob();
    expect(await world.imgup(['users', 'rm', 'ada', '--yes', ...asAdmin])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('last administrator'),
    });
    expect(await world.imgup(['users', 'rm', 'ada', '--yes'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Only an administrator'),
    });
    expect(await names(world)).toEqual(['ada', 'bob']);
  });
});
