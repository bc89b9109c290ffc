#!/usr/bin/env node
import * as nodeModule from 'node:module';
import { compileCacheFolder } from './compile-cache-folder.ts';
import type { EXIT } from './errors.ts';
import { readVersion } from './version.ts';

const args = process.argv.slice(2);

/** As `errors.ts` has it, which `--version` does not load. */
const INTERRUPTED: typeof EXIT.interrupted = 130;

async function runAll(): Promise<void> {
  let isOver = false;
  // Holds where the wait below never ends because nothing is left that could end it. Not set before: commander looks at it.
  process.once('exit', () => {
    if (!isOver) process.exitCode = 1;
  });
  // From Node 22.1 on: what was compiled is not compiled again at the next start.
  const { enableCompileCache } = nodeModule as { enableCompileCache?: (folder: string) => unknown };
  // oxlint-disable-next-line node/no-process-env -- config.ts, which reads it otherwise, is not loaded yet: this is for its start
  const folder = compileCacheFolder(process.env);
  if (folder !== null) enableCompileCache?.(folder);
  const { start } = await import('./start.ts');
  const code = await start(args);
  process.exitCode = code;
  isOver = true;
  // What was given up on Ctrl-C may still be waited for by Node: a folder that does not answer, a keychain.
  if (code === INTERRUPTED) process.exit();
}

if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
  // Without the rest of the program, which knows what to say where it cannot be written.
  process.stdout.once('error', () => void runAll());
  process.stdout.write(`${readVersion()}\n`);
} else {
  // Not awaited here, where CommonJS cannot: nothing comes after it.
  void runAll();
}
