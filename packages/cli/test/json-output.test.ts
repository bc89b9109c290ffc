import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cliFailure, cliOutput, cliUploadedFile } from '@imgup/shared';
import type { Command } from 'commander';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { createContext } from '../src/context.ts';
import { createProgram } from '../src/program.ts';
import { openWorld, PASSWORD, type Outcome, type World } from './world.ts';

type Named = keyof typeof cliOutput;

/** Every command that can be typed, as it is typed. */
function commands({ commands: below }: Command, before: string[] = []): { name: string; command: Command }[] {
  return below.flatMap((command) => {
    const path = [...before, command.name()];
    return [{ name: path.join(' '), command }, ...commands(command, path)];
  });
}

/** They print no document: a script for a shell, help, and those that only have others below them. */
const WITHOUT = /^(completion|completion-server|config|admin|(.* )?help)$/;

test('every command has a schema of its output', () => {
  const all = commands(createProgram(createContext())).map(({ name }) => name);
  expect(all.filter((name) => !WITHOUT.test(name)).toSorted()).toEqual(Object.keys(cliOutput).toSorted());
});

/** Ada, who is the administrator, with two pictures, and Bob. */
async function populated() {
  const world = await openWorld();
  await world.register('bob');
  await world.register('ada');
  await world.imgup(['users']);
  const path = await world.picture('first.png', 1);
  await world.imgup(['upload', path]);
  world.clock.server += 1000;
  await world.imgup(['upload', await world.picture('second.png', 2), '--expires', '7d']);
  return world;
}

const asAdmin = ['--account', 'bob'];
const password = { stdin: `${PASSWORD}\n` };

/**
 * How each command is run so that all goes well. Where it is tested: `serve` and `watch`, which do not end by themselves, and
 * `admin migrate`, which needs engines.
 */
const runs: Record<Exclude<Named, 'serve' | 'watch' | 'admin migrate'>, (world: World) => Promise<Outcome>> = {
  register: (world) => world.imgup(['register', '--username', 'carol', '--password-stdin', '--json'], password),
  login: (world) => world.imgup(['login', '--username', 'ada', '--password-stdin', '--json'], password),
  logout: (world) => world.imgup(['logout', '--json']),
  whoami: (world) => world.imgup(['whoami', '--json']),
  upload: async (world) =>
    world.imgup(['upload', await world.picture('first.png', 1), await world.picture('new.png', 3), '--json']),
  list: (world) => world.imgup(['list', '--json']),
  show: (world) => world.imgup(['show', 'last', '--json']),
  get: (world) => world.imgup(['get', 'last', '--output', join(world.folder, 'got.png'), '--json']),
  rm: (world) => world.imgup(['rm', 'last', '--json']),
  sessions: (world) => world.imgup(['sessions', '--json']),
  'sessions list': (world) => world.imgup(['sessions', 'list', '--json']),
  'sessions end': (world) => world.imgup(['sessions', 'end', '--others', '--json']),
  passwd: (world) =>
    world.imgup(['passwd', '--password-stdin', '--json'], { stdin: `${PASSWORD}\nanother long secret\n` }),
  keys: async (world) => {
    await runs['keys create'](world);
    return world.imgup(['keys', '--json']);
  },
  'keys list': (world) => world.imgup(['keys', 'list', '--json']),
  'keys create': (world) => world.imgup(['keys', 'create', 'a tool', '--json']),
  'keys revoke': async (world) => {
    await runs['keys create'](world);
    return world.imgup(['keys', 'revoke', 'a tool', '--json']);
  },
  integrate: (world) => world.imgup(['integrate', 'sharex', '--json']),
  users: (world) => world.imgup(['users', ...asAdmin, '--json']),
  'users list': (world) => world.imgup(['users', 'list', ...asAdmin, '--json']),
  'users rm': (world) => world.imgup(['users', 'rm', 'ada', '--yes', ...asAdmin, '--json']),
  accounts: (world) => world.imgup(['accounts', '--json']),
  use: (world) => world.imgup(['use', 'bob', '--json']),
  'config list': (world) => world.imgup(['config', 'list', '--json']),
  'config get': (world) => world.imgup(['config', 'get', 'expires', '--json']),
  'config set': (world) => world.imgup(['config', 'set', 'expires', '7d', '--json']),
  'config unset': (world) => world.imgup(['config', 'unset', 'expires', '--json']),
  doctor: (world) => world.imgup(['doctor', '--json']),
  'admin check': (world) => world.imgup(['admin', 'check', '--data', join(world.folder, 'data'), '--json']),
  'admin backup': (world) =>
    world.imgup(['admin', 'backup', join(world.folder, 'copy'), '--data', join(world.folder, 'data'), '--json']),
  'admin restore': async (world) => {
    await runs['admin backup'](world);
    return world.imgup(['admin', 'restore', join(world.folder, 'copy'), '--data', join(world.folder, 'new'), '--json']);
  },
  'admin rotate-secret': (world) =>
    world.imgup(['admin', 'rotate-secret', '--data', join(world.folder, 'data'), '--json']),
};

describe('what --json prints is one document as its schema has it', () => {
  // Under `npm run test:scale` the data folder, which `imgup admin` is about, holds nothing: its commands are left out there.
  const scaled = process.env['IMGUP_TEST_ACCOUNTS'] !== undefined;
  const here = Object.entries(runs).filter(([name]) => !scaled || !name.startsWith('admin '));

  test.each(here)('imgup %s', async (name, run) => {
    const { code, stdout, stderr } = await run(await populated());
    expect({ code, stderr }).toMatchObject({ code: 0 });
    // One line, and nothing besides.
    expect(stdout).toMatch(/^\{.*\}\n$/);
    const { issues } = v.safeParse(cliOutput[name as Named], JSON.parse(stdout));
    expect(issues?.map(({ message, path }) => `${path?.map(({ key }) => String(key)).join('.')}: ${message}`)).toBe(
      undefined,
    );
  });

  test('imgup upload where some fail, and each line of --jsonl', async () => {
    const world = await populated();
    const bad = join(world.folder, 'bad.png');
    await writeFile(bad, 'no picture');
    const files = [bad, await world.picture('third.png', 3), await world.picture('first.png', 1)];
    const all = await world.imgup(['upload', ...files, '--json']);
    expect(all.code).toBe(3);
    expect(v.is(cliOutput.upload, JSON.parse(all.stdout))).toBe(true);
    const lines = await world.imgup(['upload', ...files, '--jsonl']);
    const documents = lines.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(documents.slice(0, 3).every((line) => v.is(cliUploadedFile, line))).toBe(true);
    expect(documents.slice(3)).toMatchObject([{ error: { code: 'some_failed' } }]);
  });

  test.each([['get', 'nothing'], ['rm', 'nothing'], ['doctor']])('imgup %s %s, which fails', async (...args) => {
    const world = await populated();
    if (args[0] === 'doctor') await world.imgup(['logout']);
    const { code, stdout } = await world.imgup([...args, '--json']);
    expect(code).toBe(1);
    expect(v.is(cliOutput[args[0] as Named], JSON.parse(stdout))).toBe(true);
    expect(JSON.parse(stdout)).toHaveProperty('error');
  });

  test.each([['list'], ['upload', 'none.png'], ['show', 'nothing'], ['users']])(
    'imgup %s %s, which fails before anything is done',
    async (...args) => {
      const world = await openWorld();
      const { code, stdout } = await world.imgup([...args, '--json']);
      expect(code).not.toBe(0);
      const { error } = JSON.parse(stdout) as object & { error: unknown };
      expect(v.is(cliFailure, { error })).toBe(true);
    },
  );
});
