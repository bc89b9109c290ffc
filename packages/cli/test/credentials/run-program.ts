import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const SOURCES = fileURLToPath(new URL('../../src/credentials/', import.meta.url));
/** Below node_modules, so that native packages are found from there and nothing is left in the checkout. */
const OUTPUT = fileURLToPath(new URL('../../node_modules/.imgup-test/', import.meta.url));

export interface Program {
  start(args: string[], env?: NodeJS.ProcessEnv): ChildProcessByStdio<null, Readable, null>;
  remove(): Promise<void>;
}

/**
 * A program in TypeScript that imports from src/credentials, to be run in processes of its own. It is bundled as the
 * release is, with the keychain's child next to it, since Node 20 does not run TypeScript.
 */
export async function compileProgram(contents: string): Promise<Program> {
  await mkdir(OUTPUT, { recursive: true });
  const folder = await mkdtemp(OUTPUT);
  const common = { bundle: true, platform: 'node', format: 'esm', packages: 'external', logLevel: 'silent' } as const;
  await build({
    ...common,
    stdin: { contents, resolveDir: SOURCES, loader: 'ts' },
    outfile: join(folder, 'program.js'),
  });
  await copyFile(join(SOURCES, 'keychain-child.cjs'), join(folder, 'keychain-child.cjs'));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');

  return {
    start: (args, env = process.env) =>
      spawn(process.execPath, [join(folder, 'program.js'), ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
