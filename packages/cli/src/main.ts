#!/usr/bin/env node
import { createContext } from './context.ts';
import { run } from './run.ts';

// Holds where the wait below never ends because nothing is left that could end it.
process.exitCode = 1;
process.exitCode = await run(process.argv.slice(2), createContext());
