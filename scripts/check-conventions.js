// What no linter knows of: a suppression says why it is there, and no file knows where on a developer's machine it lies.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const UNEXPLAINED = new RegExp('(oxlint|eslint)-(disable|enable)(?!.* -- \\w)');

for (const path of filesIn(root)) {
  const text = readFileSync(path, 'utf8');
  for (const [index, line] of text.split('\n').entries()) {
    if (UNEXPLAINED.test(line)) complain(path, index, 'suppresses a rule without a reason: add "-- because"');
    if (line.includes(root)) complain(path, index, `holds the path of this checkout, ${root}`);
  }
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function filesIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return ['.git', 'node_modules', 'dist'].includes(entry.name) ? [] : filesIn(path);
    return entry.isFile() && /\.(ts|js|json|ya?ml|md)$|[/\\]run$/.test(entry.name) ? [path] : [];
  });
}

/**
 * @param {string} path
 * @param {number} index
 * @param {string} what
 */
function complain(path, index, what) {
  console.error(`${relative(root, path)}:${index + 1}: ${what}`);
  process.exitCode = 1;
}
