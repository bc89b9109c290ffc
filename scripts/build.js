// Builds what is published: @imgup/shared and @imgup/server as compiled modules with types, and the CLI as one bundle that
// brings the server along. What has not changed is not written again, so programs that run from dist are not disturbed.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { bundleCli } from './bundle-cli.js';

const root = fileURLToPath(new URL('..', import.meta.url));

const [typesAreSound] = await Promise.all([compile(['packages/server', 'packages/cli']), bundleCli(root)]);
if (!typesAreSound) {
  console.error('build: the types are not sound, see above.');
  process.exitCode = 1;
}

/**
 * Checks the types of the projects and all that they refer to, and compiles those that are compiled.
 *
 * @param {string[]} projects
 * @returns {Promise<boolean>}
 */
function compile(projects) {
  const tsc = spawn(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '--build', ...projects], {
    cwd: root,
    // stdout belongs to the command that the person typed.
    stdio: ['ignore', 2, 2],
  });
  return new Promise((resolve) => {
    tsc.on('error', () => resolve(false));
    tsc.on('exit', (code) => resolve(code === 0));
  });
}
