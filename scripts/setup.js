// Installs the workspace's dependencies with the pinned pnpm, unless that was done for this very lock file.
// Needs nothing but Node and npm: pnpm is reached through npx.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const marker = `${root}node_modules/.imgup-setup`;
const inputs = [
  'pnpm-lock.yaml',
  'pnpm-workspace.yaml',
  'package.json',
  ...['cli', 'server', 'shared'].map((name) => `packages/${name}/package.json`),
];

const hash = createHash('sha256').update(process.version);
for (const path of inputs) hash.update(readFileSync(root + path));
const wanted = hash.digest('hex');

if (!existsSync(marker) || readFileSync(marker, 'utf8') !== wanted) {
  const { packageManager } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
  const npx = process.platform === 'win32' ? 'npx.cmd' : 'npx';
  const install = ['--yes', packageManager, 'install', '--frozen-lockfile'];
  const { status } = spawnSync(npx, install, {
    cwd: root,
    // stdout belongs to the command that the person typed.
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (status !== 0) {
    console.error('setup: the dependencies could not be installed; is the npm registry reachable?');
    process.exit(status ?? 1);
  }
  writeFileSync(marker, wanted);
}
