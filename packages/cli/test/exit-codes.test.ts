import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { TransportError } from '../src/api/transport.ts';
import { createContext } from '../src/context.ts';
import { createProgram } from '../src/program.ts';
import { openWorld, PASSWORD, type World } from './world.ts';

/** What a command cannot do without. */
type Need = 'session' | 'server' | 'nothing';

const account = ['--username', 'ada', '--password-stdin'];

/** Each command as it is typed, with arguments that are right. */
const COMMANDS: Record<string, [need: Need, ...args: string[]]> = {
  serve: ['nothing'],
  register: ['server', ...account],
  login: ['server', ...account],
  upload: ['session', 'photo.png'],
  // Waits for its log-in and its server: watch.test.ts.
  watch: ['nothing', 'folder'],
  list: ['session'],
  show: ['session', 'last'],
  get: ['session', 'last'],
  rm: ['session', 'last'],
  logout: ['session'],
  whoami: ['session'],
  sessions: ['session'],
  'sessions list': ['session'],
  'sessions end': ['session', 'abcd'],
  passwd: ['session', '--password-stdin'],
  users: ['session'],
  'users list': ['session'],
  'users rm': ['session', 'bob', '--yes'],
  keys: ['session'],
  'keys list': ['session'],
  'keys create': ['session', 'a tool'],
  'keys revoke': ['session', 'abcd'],
  integrate: ['session', 'curl'],
  accounts: ['nothing'],
  use: ['nothing', 'ada'],
  config: ['nothing'],
  'config list': ['nothing'],
  'config get': ['nothing', 'format'],
  'config set': ['nothing', 'format', 'url'],
  'config unset': ['nothing', 'format'],
  // Says of everything how it is, with 1 where something is not well: setup.test.ts.
  doctor: ['nothing'],
  completion: ['nothing', 'bash'],
  admin: ['nothing'],
  'admin check': ['nothing'],
  'admin backup': ['nothing', 'copy'],
  'admin restore': ['nothing', 'copy'],
  'admin migrate': ['nothing'],
  'admin rotate-secret': ['nothing'],
  help: ['nothing'],
};

function typed({ commands: below }: Command, before: string[] = []): string[] {
  return below.flatMap((command) => {
    const path = [...before, command.name()];
    return [path.join(' '), ...typed(command, path)];
  });
}

test('every command is in this table', () => {
  const all = typed(createProgram(createContext())).filter((name) => !/^completion-server$| help$/.test(name));
  expect(all.toSorted()).toEqual(Object.keys(COMMANDS).toSorted());
});

async function imgup(world: World, name: string, ...more: string[]) {
  const [, ...args] = COMMANDS[name] ?? [];
  const picture = await world.picture();
  const words = args.map((word) => (word === 'photo.png' ? picture : word));
  return world.imgup([...name.split(' '), ...words, ...more], { stdin: `${PASSWORD}\n${PASSWORD}\n` });
}

const those = (...needs: Need[]) =>
  Object.entries(COMMANDS).flatMap(([name, [need]]) => (needs.includes(need) ? [name] : []));

describe('wrong usage ends with 2, a sentence, and nothing on stdout', () => {
  test.each(Object.keys(COMMANDS))('imgup %s --nonsense', async (name) => {
    const outcome = await imgup(await openWorld(), name, '--nonsense');
    expect(outcome).toMatchObject({ code: 2, stdout: '' });
    expect(outcome.stderr).toMatch(/^imgup: Unknown option '--nonsense'.* See `imgup .*--help`\.\n$/);
  });
});

describe('without a log-in it ends with 4, the way to one, and nothing on stdout', () => {
  test.each(those('session'))('imgup %s', async (name) => {
    const outcome = await imgup(await openWorld(), name);
    expect(outcome).toMatchObject({ code: 4, stdout: '' });
    expect(outcome.stderr).toMatch(/^imgup: You are not logged in at \S+; run `imgup login`\.\n$/);
  });

  test.each(those('session'))('imgup %s, once the session has ended', async (name) => {
    const world = await openWorld();
    await world.register();
    world.clock.local += 100 * 24 * 3_600_000;
    world.clock.server += 100 * 24 * 3_600_000;
    // There is nothing left that could be ended at the server.
    const expected = name === 'logout' ? { code: 0 } : { code: 4, stdout: '' };
    expect(await imgup(world, name)).toMatchObject(expected);
  });
});

describe('where nobody answers it ends with 7, and nothing on stdout', () => {
  test.each(those('session', 'server'))('imgup %s', async (name) => {
    const world = await openWorld();
    await world.register();
    world.network.way = ({ url }) => Promise.reject(new TransportError('refused', url.origin, 'connection refused'));
    const outcome = await imgup(world, name);
    expect(outcome).toMatchObject({ code: 7, stdout: '' });
    expect(outcome.stderr).toMatch(/Cannot reach http:\/\/127\.0\.0\.1:4747: connection refused\. Start a server/);
    const json = await imgup(world, name, '--json');
    // What could be done here alone, logout has done.
    if (name !== 'logout') expect(JSON.parse(json.stdout)).toMatchObject({ error: { exit_code: 7 } });
  });
});
