// A rule may be suppressed where it is wrong, and then the next reader is told why: the linter does not ask for it.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const UNEXPLAINED = new RegExp('(oxlint|eslint)-(disable|enable)(?!.* -- \\w)');

for (const path of sourcesIn(root)) {
  for (const [index, line] of readFileSync(path, 'utf8').split('\n').entries()) {
    if (!UNEXPLAINED.test(line)) continue;
    console.error(`${relative(root, path)}:${index + 1}: a rule is suppressed without a reason; add "-- because ..."`);
    process.exitCode = 1;
  }
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function sourcesIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return ['.git', 'node_modules', 'dist'].includes(entry.name) ? [] : sourcesIn(path);
    return /\.(ts|js)$/.test(entry.name) ? [path] : [];
  });
}
