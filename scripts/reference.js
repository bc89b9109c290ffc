// Writes what the documents say of the command line, out of the program's own help. npm run reference
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commandsDocument, withCommands } from './reference-text.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const main = join(root, 'packages', 'cli', 'dist', 'main.cjs');

/** @param {string[]} path */
const help = async (path) => execFileSync(process.execPath, [main, ...path, '--help'], { encoding: 'utf8' });

const readme = join(root, 'README.md');
writeFileSync(readme, await withCommands(readFileSync(readme, 'utf8'), help));
writeFileSync(join(root, 'docs', 'COMMANDS.md'), await commandsDocument(help));
