import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { openLinks } from '../src/open-links.ts';
import { openWorld, temporaryFolder } from './world.ts';

test('--open where there is no desktop says so, and the upload is no failure', async () => {
  const world = await openWorld();
  await world.register();
  const file = await world.picture();
  const { stdout } = await world.imgup(['upload', file]);
  expect(await world.imgup(['upload', file, '--open'], { env: {} })).toEqual({
    code: 0,
    stdout,
    stderr: 'imgup: The link was not opened: there is no desktop session here.\n',
  });
});

test.skipIf(process.platform !== 'linux')('a program that cannot open a link is told of', async () => {
  const browser = join(await temporaryFolder(), 'browser');
  vi.stubEnv('BROWSER', browser);
  onTestFinished(() => void vi.unstubAllEnvs());
  const forever = () => new Promise<void>(() => undefined);
  const options = { env: process.env, signal: new AbortController().signal, wait: forever };
  await writeFile(browser, '#!/bin/sh\necho "$1" > "$0.opened"\n', { mode: 0o755 });
  expect(await openLinks(['http://127.0.0.1/a'], options)).toBe(null);
  expect(await readFile(`${browser}.opened`, 'utf8')).toBe('http://127.0.0.1/a\n');
  await writeFile(browser, '#!/bin/sh\nexit 1\n');
  expect(await openLinks(['http://127.0.0.1/a'], options)).toMatch(/^the program that opens links ends with \d$/);
});

// The `open` package has a copy of xdg-open, which is in no bundle; its error of a program that is not there is the same.
test.skipIf(process.platform !== 'linux')('a program that is not installed is named', async () => {
  vi.doMock('open', () => ({ default: async () => once(spawn('/nowhere/xdg-open'), 'spawn') }));
  onTestFinished(() => vi.doUnmock('open'));
  const options = { env: { DISPLAY: ':9' }, signal: new AbortController().signal, wait: async () => undefined };
  expect(await openLinks(['http://127.0.0.1/a'], options)).toBe('/nowhere/xdg-open is not installed');
});
