// Installs the workspace's dependencies with the pinned pnpm, unless that was done for this very lock file.
// Needs nothing but Node and npm: pnpm is reached through npx.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readManifest } from './read-manifest.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const packages = readdirSync(`${root}packages`).map((name) => `packages/${name}/`);
const marker = `${root}node_modules/.imgup-setup`;

const hash = createHash('sha256').update(`${process.version} ${process.platform} ${process.arch}`);
for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', ...['', ...packages].map((at) => `${at}package.json`)]) {
  hash.update(readFileSync(root + file));
}
const wanted = hash.digest('hex');

const installed =
  packages.every((at) => existsSync(`${root}${at}node_modules`)) &&
  existsSync(marker) &&
  readFileSync(marker, 'utf8') === wanted;

if (!installed) {
  const { packageManager = 'pnpm' } = readManifest(`${root}package.json`);
  const { status } = spawnSync('npx', ['--yes', packageManager, 'install', '--frozen-lockfile'], {
    cwd: root,
    // stdout belongs to the command that the person typed.
    stdio: ['ignore', 2, 2],
    // Without a terminal pnpm would otherwise refuse to replace a node_modules that another version has made.
    env: { ...process.env, CI: 'true', npm_config_update_notifier: 'false' },
    // npx is a batch file on Windows.
    shell: process.platform === 'win32',
  });
  if (status !== 0) {
    console.error('setup: the dependencies could not be installed; is the npm registry reachable?');
    process.exit(status ?? 1);
  }
  writeFileSync(marker, wanted);
}
