import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { buildCore, CORE, MAIN } from './cli-core.js';
import { RAW_TEXT, rawText } from './raw-text.js';
import { readManifest } from './read-manifest.js';
import { thirdPartyLicences } from './third-party-licences.js';

/**
 * Bundles the CLI, the server that it embeds, and all their JavaScript dependencies into `packages/cli/dist`, so that
 * what a person installs is one package and the few that are native or large.
 *
 * Every file lands directly in dist: the sources find `./keychain-child.cjs`, `./password-worker.js`, `./picture-worker.js` and
 * `../package.json` by their own URL, in whichever chunk they end up.
 *
 * @param {string} root the workspace's folder
 */
export async function bundleCli(root) {
  const cli = join(root, 'packages', 'cli');
  const dist = join(cli, 'dist');
  const { dependencies = {} } = readManifest(join(cli, 'package.json'));

  const common = {
    absWorkingDir: root,
    bundle: true,
    platform: /** @type {const} */ ('node'),
    target: 'node20.19',
    conditions: ['imgup-source', 'module'],
    mainFields: ['module', 'main'],
    // supports-color is optional to debug, and here only because PicGo is, which the tests start.
    external: [...Object.keys(dependencies), 'supports-color'],
    plugins: [rawText],
    // Not minified: a stack trace from someone's machine should say where and what.
    write: false,
    logLevel: /** @type {const} */ ('warning'),
  };
  /** @type {import('esbuild').BuildOptions} */
  const modules = {
    ...common,
    entryNames: '[name]',
    chunkNames: '[name]-[hash]',
    outdir: dist,
    splitting: true,
    format: 'esm',
    // What CommonJS modules expect, and an ES module does not have.
    define: { __filename: 'import.meta.filename', __dirname: 'import.meta.dirname' },
    banner: { js: HEAD },
    metafile: true,
  };
  const core = await buildCore(common);
  const commands = await build({
    ...modules,
    entryPoints: Object.fromEntries(core.cold),
    plugins: [rawText, core.plugin],
  });
  // Processes and threads of their own, which have nothing to do with the program that has started them.
  const workers = await build({
    ...modules,
    entryPoints: [
      'packages/server/src/services/password-worker.js',
      'packages/server/src/adapters/sharp/picture-worker.js',
    ],
  });

  for (const { metafile } of [commands, workers]) refuseDynamicCommonJs(metafile, [...core.cold.values()]);
  const inputs = [...core.inputs, ...[commands, workers].flatMap(({ metafile }) => Object.keys(metafile?.inputs ?? {}))]
    .filter((path) => !/^(core:|nothing:|<)/.test(path))
    .map((path) => (path.startsWith(RAW_TEXT) ? relative(root, path.slice(RAW_TEXT.length)) : path));
  const licences = await thirdPartyLicences(root, inputs);
  const outputFiles = [core, commands, workers].flatMap((part) => part.outputFiles ?? []);
  const files = new Map(outputFiles.map(({ path, contents }) => [basename(path), Buffer.from(contents)]));
  files.set('LICENSES.txt', Buffer.from(licences));
  // Its one import is a package that is installed beside this one.
  const child = join(cli, 'src', 'credentials', 'keychain-child.cjs');
  files.set(basename(child), await readFile(child));
  await mkdir(dist, { recursive: true });
  for (const [name, contents] of files) await replaceIfChanged(join(dist, name), contents);
  await chmod(join(dist, MAIN), 0o755);
  const help = await helpOf(join(dist, CORE));
  files.set(HELP, help);
  await replaceIfChanged(join(dist, HELP), help);

  // Chunks of earlier builds, which would otherwise be packed with this one's.
  for (const entry of await readdir(dist, { withFileTypes: true })) {
    if (entry.isFile() && !files.has(entry.name)) await rm(join(dist, entry.name));
  }
}

/**
 * What `await import()` gives of a CommonJS module has its names in Node, and only a `default` in a bundle: the sources'
 * tests would pass, and the built CLI fail.
 *
 * @param {import('esbuild').Metafile | undefined} metafile
 * @param {string[]} cold what the core imports so
 */
function refuseDynamicCommonJs(metafile, cold) {
  const inputs = metafile?.inputs ?? {};
  const isCommonJs = (/** @type {string} */ path) => inputs[path]?.format === 'cjs';
  const imports = Object.values(inputs).flatMap((input) => input.imports);
  const dynamic = imports.filter(({ kind }) => kind === 'dynamic-import').map(({ path }) => path);
  const wrong = [...dynamic, ...cold.map((file) => file)].find(isCommonJs);
  if (wrong !== undefined)
    throw new Error(`${wrong} is imported dynamically, and is CommonJS, which cannot be bundled so.`);
}

/** What `imgup --help` prints, which is read without the program. */
const HELP = 'help.txt';

/** @param {string} core @returns {Promise<Buffer<ArrayBuffer>>} */
async function helpOf(core) {
  const program = `require(${JSON.stringify(core)}).start(['--help'])`;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', program]);
  return Buffer.from(stdout);
}

const HEAD = [
  "import { createRequire as createBundleRequire } from 'node:module';",
  'const require = createBundleRequire(import.meta.url);',
  // sixel assigns to this name without declaring it, which a module may not.
  'var UPNG;',
].join('\n');

/**
 * Replaces a file as a whole, so that an imgup which starts meanwhile never reads half of it.
 *
 * @param {string} path
 * @param {Buffer} contents
 */
async function replaceIfChanged(path, contents) {
  const before = await readFile(path).catch(() => null);
  if (before?.equals(contents)) return;
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}`);
  await writeFile(temporary, contents, { mode: basename(path) === MAIN ? 0o755 : 0o644 });
  await rename(temporary, path);
}
