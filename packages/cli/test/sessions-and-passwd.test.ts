import { describe, expect, test } from 'vitest';
import { SERVICE } from '../src/credentials/credential-store.ts';
import { shortenIds } from '../src/shorten-ids.ts';
import { openWorld, PASSWORD, SERVER, type World } from './world.ts';

const ACCOUNT = `${SERVER}|ada`;
const NEW_PASSWORD = 'another long enough secret';

/** ada is logged in on a laptop, a phone and, last of all and here, a desk. */
async function openWithThree() {
  const world = await openWorld();
  await world.register('ada', ['--device', 'laptop']);
  const laptop = await storedText(world);
  await forget(world);
  await loginOn(world, 'phone');
  const phone = await storedText(world);
  await forget(world);
  await loginOn(world, 'desk');
  world.asked();
  return { world, laptop, phone };
}

async function loginOn(world: World, device: string): Promise<void> {
  world.clock.server += 60_000;
  world.clock.local += 60_000;
  const args = ['login', '--username', 'ada', '--password-stdin', '--device', device];
  expect(await world.imgup(args, { stdin: PASSWORD })).toMatchObject({ code: 0 });
}

async function storedText(world: World): Promise<string> {
  return (await world.credentials.getPassword(SERVICE, ACCOUNT)) ?? '';
}

/** So that the next log-in does not end this one, which it would replace. */
async function forget(world: World): Promise<void> {
  await world.credentials.deletePassword(SERVICE, ACCOUNT);
}

/** The exit code of a command on the machine whose record this is. */
async function codeOn(world: World, text: string): Promise<number> {
  const here = await storedText(world);
  await world.credentials.setPassword(SERVICE, ACCOUNT, text);
  const { code } = await world.imgup(['whoami', '--account', 'ada']);
  await world.credentials.setPassword(SERVICE, ACCOUNT, here);
  return code;
}

interface Listed {
  id: string;
  device: string;
  current: boolean;
}

async function listed(world: World): Promise<Listed[]> {
  const { stdout } = await world.imgup(['sessions', '--json']);
  return (JSON.parse(stdout) as { sessions: Listed[] }).sessions;
}

describe('sessions', () => {
  test('are a table, the latest first, with ids that can be typed', async () => {
    const { world } = await openWithThree();
    const outcome = await world.imgup(['sessions']);
    expect({ code: outcome.code, stderr: outcome.stderr }).toEqual({ code: 0, stderr: '' });
    const [head, ...rows] = outcome.stdout.trimEnd().split('\n');
    expect(head).toBe('ID        DEVICE  LOGGED IN (UTC)   LAST USED (UTC)   ENDS (UTC)');
    const times = '2026-01-01 12:0N  2026-01-01 12:0N  2026-01-31 12:0N';
    expect(rows.map((row) => row.replaceAll(/12:0\d/g, '12:0N'))).toEqual([
      expect.stringMatching(new RegExp(`^[0-9a-f]{8}  desk    ${times}  this one$`)),
      expect.stringMatching(new RegExp(`^[0-9a-f]{8}  phone   ${times}$`)),
      expect.stringMatching(new RegExp(`^[0-9a-f]{8}  laptop  ${times}$`)),
    ]);
  });

  test('--json is what the server answers', async () => {
    const { world } = await openWithThree();
    expect((await listed(world)).map(({ id, ...rest }) => ({ ...rest, length: id.length }))).toMatchObject([
      { device: 'desk', current: true, length: 32 },
      { device: 'phone', current: false },
      { device: 'laptop', current: false },
    ]);
  });

  test('have ids as short as tells them apart', () => {
    expect(shortenIds(['0123456789ab', 'ba9876543210'])).toEqual(['01234567', 'ba987654']);
    expect(shortenIds(['0123456789ab', '0123456788ab'])).toEqual(['0123456789', '0123456788']);
    expect(shortenIds(['0123456789ab'])).toEqual(['01234567']);
    expect(shortenIds(['abc', 'abd'])).toEqual(['abc', 'abd']);
    expect(shortenIds([])).toEqual([]);
  });
});

describe('sessions end', () => {
  test('ends the session that an id begins with, at once', async () => {
    const { world, laptop, phone } = await openWithThree();
    const id = (await listed(world)).find(({ device }) => device === 'phone')?.id ?? '';
    expect(await world.imgup(['sessions', 'end', id.slice(0, 8).toUpperCase()])).toEqual({
      code: 0,
      stdout: '',
      stderr: `Ended the session ${id.slice(0, 8)} (phone).\n`,
    });
    expect(await codeOn(world, phone)).toBe(4);
    expect(await codeOn(world, laptop)).toBe(0);
    const { stdout } = await world.imgup(['sessions', 'end', (await listed(world))[1]?.id ?? '', '--json']);
    expect(JSON.parse(stdout)).toEqual({ server: SERVER, ended: [expect.stringMatching(/^[0-9a-f]{32}$/)] });
    expect((await listed(world)).map(({ device }) => device)).toEqual(['desk']);
  });

  test('--others ends all but this one', async () => {
    const { world, laptop, phone } = await openWithThree();
    const { code, stderr } = await world.imgup(['sessions', 'end', '--others']);
    expect({ code, stderr: stderr.replaceAll(/[0-9a-f]{8}/g, 'ID') }).toEqual({
      code: 0,
      stderr: 'Ended the session ID (phone).\nEnded the session ID (laptop).\n',
    });
    expect([await codeOn(world, phone), await codeOn(world, laptop)]).toEqual([4, 4]);
    expect((await listed(world)).map(({ device }) => device)).toEqual(['desk']);
    const again = await world.imgup(['sessions', 'end', '--others']);
    expect(again).toMatchObject({ code: 0, stderr: `You have no other session at ${SERVER}.\n` });
  });

  test('is never a guess: so little of an id that it could be another ends nothing', async () => {
    const { world } = await openWithThree();
    for (const { id } of await listed(world)) {
      for (const part of [id.slice(0, 1), id.slice(0, 3)]) {
        expect(await world.imgup(['sessions', 'end', part])).toEqual({
          code: 2,
          stdout: '',
          stderr: `imgup: "${part}" is too short to be sure; write 4 characters of the id, or more.\n`,
        });
      }
    }
    expect(await listed(world)).toHaveLength(3);
  });

  test('of this one logs out here too', async () => {
    const { world, phone } = await openWithThree();
    const id = (await listed(world)).find(({ current }) => current)?.id ?? '';
    expect(await world.imgup(['sessions', 'end', id])).toMatchObject({
      code: 0,
      stderr: `Ended this session (desk).\n`,
    });
    expect(await world.record()).toBeNull();
    expect(await world.imgup(['sessions'])).toMatchObject({ code: 4 });
    expect(await codeOn(world, phone)).toBe(0);
  });

  test('of what is not there, or of more than one, ends nothing', async () => {
    const { world } = await openWithThree();
    world.network.way = async (request, next) => {
      const answer = await next(request);
      if (request.method !== 'GET') return answer;
      const sessions = ['abcd1', 'abcd2'].map((id) => ({
        id,
        device: null,
        created_at: '2026-01-01T12:00:00.000Z',
        last_used_at: '2026-01-01T12:00:00.000Z',
        expires_at: '2026-01-01T12:00:00.000Z',
        current: false,
      }));
      const chunk = Buffer.from(JSON.stringify({ sessions }));
      return {
        ...answer,
        body: (async function* () {
          yield chunk;
        })(),
      };
    };
    expect(await world.imgup(['sessions', 'end', 'abcd'])).toMatchObject({
      code: 2,
      stderr: 'imgup: More than one of your sessions begins with "abcd"; write more of the id.\n',
    });
    expect(await world.imgup(['sessions', 'end', 'xxxx'])).toMatchObject({
      code: 1,
      stderr: 'imgup: You have no session whose id begins with "xxxx"; `imgup sessions` lists them.\n',
    });
    expect(world.asked()).toEqual(['GET /api/sessions', 'GET /api/sessions']);
  });

  test.each([[[]], [['']], [['abc', '--others']]])('%j is wrong usage', async (args) => {
    const { world } = await openWithThree();
    expect(await world.imgup(['sessions', 'end', ...args])).toMatchObject({ code: 2 });
    expect(world.asked()).toEqual([]);
  });
});

describe('passwd', () => {
  test('changes the password, ends the other sessions and says so', async () => {
    const { world, laptop } = await openWithThree();
    const answers = [PASSWORD, 'short', NEW_PASSWORD, 'not the same', NEW_PASSWORD];
    expect(await world.imgup(['passwd'], { terminal: true, answers })).toEqual({
      code: 0,
      stdout: '',
      stderr: `Your password at ${SERVER} is changed, and your other sessions have ended; log in there again.\n`,
    });
    expect(answers).toEqual([]);
    expect(await world.imgup(['whoami'])).toMatchObject({ code: 0 });
    expect(await codeOn(world, laptop)).toBe(4);
    const login = ['login', '--username', 'ada', '--password-stdin'];
    expect(await world.imgup(login, { stdin: PASSWORD })).toMatchObject({ code: 4 });
    expect(await world.imgup(login, { stdin: NEW_PASSWORD })).toMatchObject({ code: 0 });
  });

  test('--password-stdin takes two lines, with the ends of any system', async () => {
    const world = await openWorld();
    await world.register('ada');
    const args = ['passwd', '--password-stdin', '--json'];
    const { code, stdout } = await world.imgup(args, { stdin: `${PASSWORD}\r\n${NEW_PASSWORD}\r\nmore\n` });
    expect({ code, ...JSON.parse(stdout) }).toEqual({ code: 0, server: SERVER, other_sessions_ended: true });
    expect(await world.imgup(args, { stdin: `${NEW_PASSWORD}\n${PASSWORD}` })).toMatchObject({ code: 0 });
  });

  test.each([
    ['one line', `${PASSWORD}\n`, 2, 'two lines'],
    ['nothing', '', 2, 'two lines'],
    ['an empty present password', `\n${NEW_PASSWORD}\n`, 2, 'two lines'],
    ['a new one that is too short', `${PASSWORD}\nshort\n`, 2, 'at least 8 bytes'],
    ['a new one that others would try', `${PASSWORD}\npassword123\n`, 2, 'choose another'],
    ['a wrong present one', `not the password\n${NEW_PASSWORD}\n`, 1, 'The present password is wrong'],
  ])('with %s changes nothing', async (_what, stdin, code, sentence) => {
    const world = await openWorld();
    await world.register('ada');
    const outcome = await world.imgup(['passwd', '--password-stdin'], { stdin });
    expect(outcome).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(sentence) });
    expect(await world.imgup(['whoami'])).toMatchObject({ code: 0 });
    const login = ['login', '--username', 'ada', '--password-stdin'];
    expect(await world.imgup(login, { stdin: PASSWORD })).toMatchObject({ code: 0 });
  });

  test('asks nobody without a terminal, and nothing of whoever is not logged in', async () => {
    const world = await openWorld();
    expect(await world.imgup(['passwd'], { terminal: true })).toMatchObject({ code: 4 });
    await world.register('ada');
    expect(await world.imgup(['passwd'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--password-stdin'),
    });
    expect(world.asked()).toEqual([]);
  });
});
