import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { temporaryFolder } from './world.ts';

const SOURCE = fileURLToPath(new URL('../src/', import.meta.url));

/** The modules that these import, and those that they import. */
async function loadedBy(...names: string[]): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: names.map((name) => join(SOURCE, name)),
    bundle: true,
    write: false,
    metafile: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    outdir: 'unused',
    logLevel: 'silent',
  });
  const loaded = new Set<string>();
  const load = (path: string) => {
    if (loaded.has(path)) return;
    loaded.add(path);
    for (const { path: next, kind } of metafile.inputs[path]?.imports ?? []) {
      if (kind === 'import-statement') load(next);
    }
  };
  for (const name of names) load(relative(process.cwd(), join(SOURCE, name)));
  return [...loaded].map((path) => (dirname(path).includes('src') ? relative(SOURCE, path) : path));
}

const packagesOf = (loaded: string[]) =>
  loaded.filter((path) => !path.endsWith('.ts') && !path.startsWith('node:')).toSorted();

test('--version alone loads nothing', async () => {
  expect(packagesOf(await loadedBy('main.ts'))).toEqual([]);
});

test('an upload loads neither TLS, nor processes and threads, before it needs them', async () => {
  const loaded = await loadedBy(
    'start.ts',
    'commands/upload.ts',
    'api/node-transport.ts',
    'credentials/resolve.ts',
    'settings.ts',
  );
  const heavy = ['https', 'tls', 'child_process', 'worker_threads', 'readline', 'zlib'].map((name) => `node:${name}`);
  expect(loaded.filter((path) => heavy.includes(path))).toEqual([]);
  expect(packagesOf(loaded).filter((path) => !path.startsWith('@imgup/shared'))).toEqual(['commander', 'valibot']);
});

test("the keychain's child loads its library, and nothing else that takes time", async () => {
  const hook = join(await temporaryFolder(), 'hook.cjs');
  await writeFile(hook, "process.once('exit', () => require('fs').writeSync(2, process.moduleLoadList.join('\\n')));");
  const child = join(SOURCE, 'credentials', 'keychain-child.cjs');
  const asked = promisify(execFile)(process.execPath, ['--require', hook, child]);
  asked.child.stdin?.end();
  const { stdout, stderr } = await asked;
  expect(stdout).toBe('{"ready":true}\n');
  const heavy = ['crypto', 'readline', 'net', 'stream'].map((name) => `NativeModule ${name}`);
  expect(stderr).toContain('NativeModule fs');
  expect(stderr.split('\n').filter((name) => heavy.includes(name))).toEqual([]);
});

test('--help loads commander, and neither HTTP, nor the keychain, nor prompts, nor the server', async () => {
  const loaded = await loadedBy('main.ts', 'start.ts');
  expect(packagesOf(loaded)).toEqual(['@imgup/shared/constants', 'commander']);
  expect(loaded.filter((path) => path.startsWith('node:http'))).toEqual([]);
  expect(loaded.filter((path) => path.startsWith('commands/'))).toEqual([]);
});
