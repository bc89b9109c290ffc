#!/usr/bin/env node
import * as nodeModule from 'node:module';
import { readVersion } from './version.ts';

const args = process.argv.slice(2);

async function runAll(): Promise<void> {
  // From Node 22.1 on: what was compiled is not compiled again at the next start.
  const { enableCompileCache } = nodeModule as { enableCompileCache?: () => unknown };
  enableCompileCache?.();
  const { start } = await import('./start.ts');
  await start(args);
}

if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
  // Without the rest of the program, which knows what to say where it cannot be written.
  process.stdout.once('error', () => void runAll());
  process.stdout.write(`${readVersion()}\n`);
} else {
  // Not awaited here, where CommonJS cannot: nothing comes after it.
  void runAll();
}
