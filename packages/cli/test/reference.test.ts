import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { commandsDocument, withCommands } from '../../../scripts/reference-text.js';
import { openWorld } from './world.ts';

const textOf = (path: string) => readFile(new URL(`../../../${path}`, import.meta.url), 'utf8');

test('README.md and docs/COMMANDS.md say what the help says; `npm run reference` writes them', async () => {
  const { imgup } = await openWorld();
  const help = async (path: string[]) => (await imgup([...path, '--help'])).stdout;
  const readme = await textOf('README.md');
  expect(readme).toBe(await withCommands(readme, help));
  expect(await textOf('docs/COMMANDS.md')).toBe(await commandsDocument(help));
});
