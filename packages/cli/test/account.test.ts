import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CredentialStoreError } from '../src/credentials/credential-store-error.ts';
import { SERVICE } from '../src/credentials/credential-store.ts';
import { createMemoryStore } from '../src/credentials/memory.ts';
import { connectionCut, openWorld, PASSWORD, SERVER, type World } from './world.ts';

const withPassword = { stdin: `${PASSWORD}\n` };
const register = (name: string, ...more: string[]) => ['register', '--username', name, '--password-stdin', ...more];
const login = (name: string, ...more: string[]) => ['login', '--username', name, '--password-stdin', ...more];

async function config({ folder }: World): Promise<unknown> {
  return JSON.parse(await readFile(join(folder, 'config', 'imgup', 'config.json'), 'utf8'));
}

describe('register', () => {
  test('makes an account, and leaves the person logged in', async () => {
    const world = await openWorld();
    const outcome = await world.imgup(register('ada'), withPassword);
    expect(outcome).toEqual({
      code: 0,
      stdout: '',
      stderr: `Registered and logged in at ${SERVER} as ada, its administrator.\n`,
    });
    expect(await world.imgup(['whoami', '--json'])).toMatchObject({ code: 0 });
  });

  test('--json shows the log-in without its tokens', async () => {
    const world = await openWorld();
    const { stdout } = await world.imgup(register('ada', '--json', '--device', 'laptop'), withPassword);
    expect(JSON.parse(stdout)).toEqual({
      server: SERVER,
      username: 'ada',
      role: 'admin',
      device: 'laptop',
      session_expires_at: '2026-01-31T12:00:00.000Z',
      credential_store: 'memory',
    });
  });

  test('asks a person for the name, and for the password twice', async () => {
    const world = await openWorld();
    const answers = ['ad', 'ada', 'short', PASSWORD, 'not the same', PASSWORD];
    expect(await world.imgup(['register'], { terminal: true, answers })).toMatchObject({ code: 0 });
    expect(answers).toEqual([]);
    expect(await world.record()).toMatchObject({ user: 'ada' });
  });

  test('a name that is taken is said so', async () => {
    const world = await openWorld();
    await world.register('ada');
    expect(await world.imgup(register('Ada'), withPassword)).toEqual({
      code: 1,
      stdout: '',
      stderr: 'imgup: This name is taken; choose another, or run `imgup login` if it is yours.\n',
    });
  });

  test.each([
    ['a name that is not allowed', 'no spaces', PASSWORD, 'A name has 3 to 32'],
    ['a password that is too short', 'ada', 'short', 'at least 8 bytes'],
    ['a password that is too long in bytes', 'ada', 'ä'.repeat(37), 'at most 72 bytes'],
  ])('%s is refused before anything is sent', async (_what, name, password, sentence) => {
    const world = await openWorld();
    const outcome = await world.imgup(register(name), { stdin: password });
    expect(outcome).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(sentence) });
    expect(world.asked()).toEqual([]);
  });

  test('a common password, which only the server can tell, is wrong usage too', async () => {
    const world = await openWorld();
    const outcome = await world.imgup(register('ada'), { stdin: 'password123' });
    expect(outcome).toMatchObject({ code: 2, stderr: expect.stringContaining('choose another') });
  });

  test('a closed server says whom to ask', async () => {
    const world = await openWorld({ registration: 'closed' });
    await world.imgup(register('ada'), withPassword);
    const outcome = await world.imgup(register('bob'), withPassword);
    expect(outcome).toMatchObject({ code: 1, stderr: expect.stringContaining('ask its administrator') });
  });

  test('nothing is registered where the log-in could not be stored', async () => {
    const world = await openWorld();
    const outcome = await world.imgup(register('ada'), {
      ...withPassword,
      context: {
        credentials: () => Promise.reject(new CredentialStoreError('locked', 'The keychain is locked', 'unlock it')),
      },
    });
    expect(outcome).toMatchObject({ code: 1, stderr: 'imgup: The keychain is locked; unlock it.\n' });
    expect(world.asked()).toEqual([]);
  });

  test.each(['setPassword', 'deletePassword'] as const)('nothing is sent where %s fails', async (method) => {
    const refuse = () =>
      Promise.reject(new CredentialStoreError('write-refused', 'The keychain refuses', 'ask it why'));
    const world = await openWorld({ credentials: { ...createMemoryStore(), [method]: refuse } });
    const outcome = await world.imgup(register('ada'), withPassword);
    expect(outcome).toMatchObject({ code: 1, stderr: 'imgup: The keychain refuses; ask it why.\n' });
    expect(world.asked()).toEqual([]);
  });

  test('the trial leaves nothing behind, and does not touch the log-in that is there', async () => {
    const world = await openWorld();
    await world.register('ada');
    const before = await world.record();
    expect(await world.imgup(login('ada'), { stdin: 'not the password' })).toMatchObject({ code: 4 });
    expect(await world.record()).toEqual(before);
    expect(await world.credentials.findCredentials(SERVICE)).toHaveLength(1);
  });

  test('a person is asked nothing where no server answers', async () => {
    const world = await openWorld();
    world.network.way = (request) => Promise.reject(connectionCut(request));
    const answers = ['ada', PASSWORD, PASSWORD];
    expect(await world.imgup(['register'], { terminal: true, answers })).toMatchObject({ code: 7 });
    expect(answers).toHaveLength(3);
    expect(world.asked()).toEqual(['GET /api']);
  });

  test('a person at a closed server is told so first, and may still make its first account', async () => {
    const world = await openWorld({ registration: 'closed' });
    const answers = ['ada', PASSWORD, PASSWORD];
    const outcome = await world.imgup(['register'], { terminal: true, answers });
    expect(outcome).toMatchObject({ code: 0, stderr: expect.stringContaining('takes no new accounts, except') });
  });

  test('an account whose log-in fails to be stored is not left with a session that nobody has', async () => {
    const memory = createMemoryStore();
    let writes = 0;
    const credentials = {
      ...memory,
      // The first is to see whether it can be written at all.
      setPassword: (...secret: Parameters<typeof memory.setPassword>) =>
        ++writes === 1
          ? memory.setPassword(...secret)
          : Promise.reject(new CredentialStoreError('write-refused', 'The keychain refuses', 'ask it why')),
    };
    const world = await openWorld({ credentials });
    const outcome = await world.imgup(register('ada'), withPassword);
    expect(outcome).toMatchObject({
      code: 1,
      stderr: 'imgup: The account was made, but you are not logged in: The keychain refuses; ask it why.\n',
    });
    expect(world.asked()).toEqual(['POST /api/register', 'POST /api/logout/refresh']);
  });
});

describe('the password', () => {
  test('is the first line of stdin without its end', async () => {
    const world = await openWorld();
    await world.imgup(register('ada'), { stdin: `${PASSWORD}\r\nsomething else\n` });
    expect(await world.imgup(login('ada'), { stdin: PASSWORD })).toMatchObject({ code: 0 });
  });

  test('keeps the spaces around it', async () => {
    const world = await openWorld();
    await world.imgup(register('ada'), { stdin: `  ${PASSWORD} \n` });
    expect(await world.imgup(login('ada'), withPassword)).toMatchObject({ code: 4 });
  });

  test('is not asked for without a terminal', async () => {
    const world = await openWorld();
    const outcome = await world.imgup(['login', '--username', 'ada']);
    expect(outcome).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('--password-stdin') });
    const nameless = await world.imgup(['login', '--password-stdin'], withPassword);
    expect(nameless).toMatchObject({ code: 2, stderr: expect.stringContaining('--username') });
  });

  test('that is announced and does not come is wrong usage', async () => {
    const world = await openWorld();
    expect(await world.imgup(login('ada'))).toMatchObject({ code: 2 });
  });
});

describe('login', () => {
  test('a wrong password and an unknown name get the same answer', async () => {
    const world = await openWorld();
    await world.register('ada');
    const wrong = await world.imgup(login('ada'), { stdin: 'not the password' });
    expect(wrong).toMatchObject({
      code: 4,
      stdout: '',
      stderr: expect.stringContaining('The name or the password is wrong'),
    });
    expect(await world.imgup(login('nobody'), withPassword)).toEqual(wrong);
  });

  test('again replaces the record, and ends the session that was replaced', async () => {
    const world = await openWorld();
    await world.register('ada');
    const before = await world.record();
    expect(await world.imgup(login('ada'), withPassword)).toEqual({
      code: 0,
      stdout: '',
      stderr: `Logged in at ${SERVER} as ada.\n`,
    });
    expect(world.asked()).toEqual(['POST /api/login', 'POST /api/logout/refresh']);
    const outcome = await world.imgup(['whoami'], { env: { IMGUP_TOKEN: before?.access_token } });
    expect(outcome).toMatchObject({ code: 4, stderr: expect.stringContaining('revoked') });
    expect(await world.imgup(['whoami'])).toMatchObject({ code: 0 });
  });

  test('--server is remembered for the commands that follow', async () => {
    const world = await openWorld();
    const other = 'https://img.example.org';
    await world.register('ada', ['--server', `${other}/`]);
    await world.imgup(['whoami']);
    expect(world.requests.map(({ url }) => url.origin)).toEqual([other]);
    expect(await config(world)).toEqual({ server: other, accounts: { [other]: 'ada' } });
  });

  test('a server out of the environment is not remembered', async () => {
    const world = await openWorld();
    await world.imgup(register('ada'), { ...withPassword, env: { IMGUP_SERVER: 'https://img.example.org' } });
    expect(await config(world)).not.toHaveProperty('server');
  });

  test('config.json is for this person only, and keeps what a newer imgup has put there', async () => {
    const world = await openWorld();
    const path = join(world.folder, 'config', 'imgup', 'config.json');
    await mkdir(join(world.folder, 'config', 'imgup'), { recursive: true });
    await writeFile(path, '{ "theme": "dark" }');
    await world.register('ada');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await config(world)).toEqual({ theme: 'dark', accounts: { [SERVER]: 'ada' } });
  });

  test('at several servers at once loses none of them in config.json', async () => {
    const world = await openWorld();
    const servers = Array.from({ length: 8 }, (_, number) => `https://s${number}.test`);
    await Promise.all(servers.map((server, number) => world.register(`user${number}`, ['--server', server])));
    const accounts = Object.fromEntries(servers.map((server, number) => [server, `user${number}`]));
    expect(await config(world)).toMatchObject({ accounts });
  });

  test('a config.json that is broken is named, and nothing is sent', async () => {
    const world = await openWorld();
    await world.register('ada');
    const path = join(world.folder, 'config', 'imgup', 'config.json');
    await writeFile(path, '{ "server": ');
    const outcome = await world.imgup(['whoami']);
    expect(outcome).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(path) });
    expect(world.asked()).toEqual([]);
  });

  test('with IMGUP_TOKEN set says that the token overrides it', async () => {
    const world = await openWorld();
    await world.register('ada');
    const outcome = await world.imgup(login('ada'), { ...withPassword, env: { IMGUP_TOKEN: 'x.y.z' } });
    expect(outcome).toMatchObject({ code: 0, stderr: expect.stringContaining('IMGUP_TOKEN is set') });
  });
});

describe('--account', () => {
  test('chooses among several log-ins at a server, whatever the capitals', async () => {
    const world = await openWorld();
    await world.register('Ada');
    await world.register('bob');
    const name = async (...args: string[]) =>
      JSON.parse((await world.imgup(['whoami', '--json', ...args])).stdout).username;
    expect(await name()).toBe('bob');
    expect(await name('--account', 'ada')).toBe('Ada');
  });

  test('of nobody who is logged in has exit code 4', async () => {
    const world = await openWorld();
    await world.register('ada');
    expect(await world.imgup(['whoami', '--account', 'eve'])).toMatchObject({ code: 4 });
  });
});

describe('logout', () => {
  test('ends the session at the server and forgets it here', async () => {
    const world = await openWorld();
    await world.register('ada');
    const before = await world.record();
    expect(await world.imgup(['logout'])).toEqual({ code: 0, stdout: '', stderr: `Logged out at ${SERVER} as ada.\n` });
    expect(world.asked()).toEqual(['POST /api/logout/refresh']);
    expect(await world.record()).toBeNull();
    expect(await config(world)).toEqual({ accounts: {} });
    expect(await world.imgup(['whoami'], { env: { IMGUP_TOKEN: before?.access_token } })).toMatchObject({ code: 4 });
  });

  test('--json names who has been logged out', async () => {
    const world = await openWorld();
    await world.register('ada');
    const { code, stdout } = await world.imgup(['logout', '--json']);
    expect({ code, ...JSON.parse(stdout) }).toEqual({ code: 0, server: SERVER, username: 'ada' });
  });

  test('an access token that has expired does not keep the session from being ended', async () => {
    const world = await openWorld();
    await world.register('ada');
    world.clock.server += 3_600_000;
    world.clock.local += 3_600_000;
    expect(await world.imgup(['logout'])).toMatchObject({ code: 0 });
    expect(world.asked()).toEqual(['POST /api/logout/refresh']);
  });

  test('forgets the session here even where the server cannot be told, and says so', async () => {
    const world = await openWorld();
    await world.register('ada');
    world.network.way = (request) => Promise.reject(connectionCut(request));
    const outcome = await world.imgup(['logout']);
    expect(outcome).toMatchObject({ code: 7, stdout: '', stderr: expect.stringContaining('could not be told') });
    expect(await world.record()).toBeNull();
  });

  test('that cannot delete what is stored says that the session has ended all the same', async () => {
    const world = await openWorld();
    await world.register('ada');
    const full = new CredentialStoreError('write-refused', 'The disk has no room', 'make room there and try again');
    const credentials = { ...world.credentials, deletePassword: () => Promise.reject(full) };
    const context = { credentials: async () => credentials };
    expect(await world.imgup(['logout'], { context })).toEqual({
      code: 1,
      stdout: '',
      stderr: `imgup: Your session at ${SERVER} has ended, but what is stored of it could not be deleted: The disk has no room; make room there and try again.\n`,
    });
    world.network.way = (request) => Promise.reject(connectionCut(request));
    const neither = await world.imgup(['logout'], { context });
    expect(neither).toMatchObject({ code: 1, stderr: 'imgup: The disk has no room; make room there and try again.\n' });
  });

  test('without a log-in has exit code 4', async () => {
    const world = await openWorld();
    const notLoggedIn = {
      code: 4,
      stdout: '',
      stderr: `imgup: You are not logged in at ${SERVER}; run \`imgup login\`.\n`,
    };
    expect(await world.imgup(['logout'])).toEqual(notLoggedIn);
    await world.register('ada');
    await world.imgup(['logout']);
    expect(await world.imgup(['logout'])).toEqual(notLoggedIn);
  });

  test('--all ends every session of the user at the server, with an access token that has expired too', async () => {
    const world = await openWorld();
    await world.register('ada');
    const elsewhere = await world.record();
    // As on another machine: the log-in there knows nothing of the one here.
    await world.credentials.deletePassword(SERVICE, `${SERVER}|ada`);
    await world.imgup(login('ada'), withPassword);
    world.clock.server += 3_600_000;
    world.clock.local += 3_600_000;
    world.asked();
    expect(await world.imgup(['logout', '--all'])).toEqual({
      code: 0,
      stdout: '',
      stderr: `Logged out at ${SERVER} as ada, and everywhere else that you were logged in.\n`,
    });
    expect(world.asked()).toContain('DELETE /api/sessions');
    expect(await world.record()).toBeNull();
    await world.credentials.setPassword(SERVICE, `${SERVER}|ada`, JSON.stringify(elsewhere));
    expect(await world.imgup(['whoami', '--account', 'ada'])).toMatchObject({ code: 4 });
  });

  test('--all that the server cannot be told forgets the session here, and says what goes on', async () => {
    const world = await openWorld();
    await world.register('ada');
    world.network.way = (request, next) =>
      request.url.pathname === '/api/sessions' ? Promise.reject(connectionCut(request)) : next(request);
    const outcome = await world.imgup(['logout', '--all']);
    expect(outcome).toMatchObject({ code: 7, stderr: expect.stringContaining('your other sessions') });
    expect(world.asked()).toContain('POST /api/logout/refresh');
    expect(await world.record()).toBeNull();
  });

  test('--all of a session that has ended does not claim to have ended the others', async () => {
    const world = await openWorld();
    await world.register('ada');
    world.clock.server += 31 * 86_400_000;
    world.clock.local += 31 * 86_400_000;
    expect(await world.imgup(['logout', '--all'])).toMatchObject({
      code: 4,
      stderr: `imgup: Your session at ${SERVER} has ended; run \`imgup login\`.\n`,
    });
  });

  test('does not touch the stored log-in while IMGUP_TOKEN overrides it', async () => {
    const world = await openWorld();
    await world.register('ada');
    expect(await world.imgup(['logout'], { env: { IMGUP_TOKEN: 'x.y.z' } })).toMatchObject({ code: 2 });
    expect(await world.record()).not.toBeNull();
  });
});
