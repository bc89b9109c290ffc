import { createContext } from './context.ts';
import { run } from './run.ts';

/** Runs the program for what was typed; resolves to the exit code. */
export function start(args: string[]): Promise<number> {
  return run(args, createContext());
}
