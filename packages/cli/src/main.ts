#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EXIT } from './errors.ts';
import { HELP_COLUMNS } from './help.ts';
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
  const { start } = await import('./start.ts');
  const code = await start(args);
  process.exitCode = code;
  isOver = true;
  // What was given up on Ctrl-C may still be waited for by Node: a folder that does not answer, a keychain.
  if (code === INTERRUPTED) process.exit();
}

/** What can be said without the rest of the program: its version, and its help, which the build has made with it. */
function readyAnswer(): string | null {
  const [word, ...more] = args;
  if (more.length > 0) return null;
  if (word === '--version' || word === '-V') return `${readVersion()}\n`;
  return word === '--help' || word === '-h' || word === 'help' ? readHelp() : null;
}

/** Null where the program has to lay it out for a narrow terminal, or was not built. */
function readHelp(): string | null {
  if (process.stdout.columns < HELP_COLUMNS) return null;
  try {
    return readFileSync(join(import.meta.dirname, 'help.txt'), 'utf8');
  } catch {
    return null;
  }
}

const answer = readyAnswer();
if (answer === null) {
  // Not awaited here, where CommonJS cannot: nothing comes after it.
  void runAll();
} else {
  // The rest of the program knows what to say where it cannot be written.
  process.stdout.once('error', () => void runAll());
  process.stdout.write(answer);
}
