import { homedir } from 'node:os';
import { join } from 'node:path';
import { readConfig as readServerConfig } from '@imgup/server';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { compileCacheFolder } from '../src/compile-cache-folder.ts';
import { readConfig } from '../src/config.ts';
import { createContext } from '../src/context.ts';
import { openWorld } from './world.ts';

/** No system has a user of this number. */
const UNKNOWN = 1_234_567;

/** HOME is nothing, which Node takes for a home. */
function emptyHome(): void {
  vi.stubEnv('HOME', '');
  expect(homedir()).toBe('');
}

/** As in a container that is started as a user of any number. */
function unknownUser(): void {
  vi.stubEnv('HOME', undefined);
  process.seteuid?.(UNKNOWN);
  onTestFinished(() => process.seteuid?.(0));
  expect(homedir).toThrow('ENOENT');
}

const ways: [name: string, begin: () => void][] = [['where HOME is nothing', emptyHome]];
if (process.geteuid?.() === 0) ways.push(['where the system does not know the user', unknownUser]);

describe.skipIf(process.platform === 'win32').each(ways)('no home folder, %s', (_name, begin) => {
  beforeEach(() => {
    begin();
    onTestFinished(() => void vi.unstubAllEnvs());
  });

  test('is no matter to a server that is told where its data is', () => {
    expect(readConfig({}).env).toEqual({});
    expect(readServerConfig({ flags: { data: '/data' }, env: {} })).toMatchObject({ data: '/data' });
    expect(readServerConfig({ flags: {}, env: { IMGUP_DATA: '/data' } })).toMatchObject({ data: '/data' });
  });

  test('is a reason to keep nothing compiled, rather than where others could have put it', () => {
    expect(compileCacheFolder({})).toBe(null);
    expect(compileCacheFolder({ XDG_CACHE_HOME: '/cache' })).toBe(join('/cache', 'imgup', 'compiled'));
  });

  test('is no matter where XDG names the folders', () => {
    expect(readConfig({ XDG_CONFIG_HOME: '/config' }, 'linux').folder).toBe(join('/config', 'imgup'));
    if (process.platform === 'darwin') return; // XDG_DATA_HOME is not asked there
    expect(readServerConfig({ flags: {}, env: { XDG_DATA_HOME: '/share' } }).data).toBe('/share/imgup');
  });

  test('is a reason not to start a server, and says what to give', () => {
    const read = () => readServerConfig({ flags: {}, env: {} });
    expect(read).toThrow('This user has no home folder to keep data in; name a folder with --data.');
  });
});

test.skipIf(process.platform === 'win32')(
  'a command that needs settings says what to set where there is no home folder, with exit code 2',
  async () => {
    const world = await openWorld();
    emptyHome();
    onTestFinished(() => void vi.unstubAllEnvs());
    const { config, settings } = createContext({ env: {} });
    expect(await world.imgup(['config', 'list'], { context: { config, settings } })).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'imgup: This user has no home folder to keep settings in; set HOME, or name a folder in XDG_CONFIG_HOME.\n',
    });
  },
);
