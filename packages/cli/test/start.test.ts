import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

const SOURCE = fileURLToPath(new URL('../src/', import.meta.url));

/** What is loaded before a command has been chosen: the modules that main.ts imports, and those that they import. */
async function loadedAtStart(): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: [join(SOURCE, 'main.ts')],
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
  load(relative(process.cwd(), join(SOURCE, 'main.ts')));
  return [...loaded].map((path) => (dirname(path).includes('src') ? relative(SOURCE, path) : path));
}

test('--version and --help load commander, and neither HTTP, nor the keychain, nor prompts, nor the server', async () => {
  const loaded = await loadedAtStart();
  const packages = loaded.filter((path) => !path.endsWith('.ts') && !path.startsWith('node:'));
  expect(packages.toSorted()).toEqual(['@imgup/shared', 'commander']);
  expect(loaded.filter((path) => path.startsWith('node:http'))).toEqual([]);
  expect(loaded.filter((path) => path.startsWith('commands/'))).toEqual([]);
});
