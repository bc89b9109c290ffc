import { createContext } from './context.ts';
import { run } from './run.ts';

/** Runs the program for what was typed, and sets the process's exit code. */
export async function start(args: string[]): Promise<void> {
  let isOver = false;
  // Holds where the wait below never ends because nothing is left that could end it. Not set before: commander looks at it.
  process.once('exit', () => {
    if (!isOver) process.exitCode = 1;
  });
  process.exitCode = await run(args, createContext());
  isOver = true;
}
