import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** What the names of such files begin with in a metafile. */
export const RAW_TEXT = 'raw-text:';

/**
 * Takes a file in as text where its name ends in `?raw`, as vite does for the tests.
 *
 * @type {import('esbuild').Plugin}
 */
export const rawText = {
  name: 'raw-text',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /\?raw$/ }, ({ path, resolveDir }) => {
      const file = createRequire(join(resolveDir, 'importer')).resolve(path.replace(/\?raw$/, ''));
      return { path: file, namespace: 'raw-text' };
    });
    onLoad({ filter: /./, namespace: 'raw-text' }, async ({ path }) => ({
      contents: await readFile(path, 'utf8'),
      loader: 'text',
    }));
  },
};
