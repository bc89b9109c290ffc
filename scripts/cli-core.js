import { relative, resolve } from 'node:path';
import { build } from 'esbuild';

/** What is started: no more than the version needs. */
export const MAIN = 'main.cjs';

/** The part of the CLI that every other command loads, and all that an upload does. */
export const CORE = 'core.cjs';

/** What an upload needs, of the modules that are loaded when they are wanted: bundled with the core, and run when they are. */
const WITH_CORE = [
  'settings.ts',
  'commands/upload.ts',
  'api/node-transport.ts',
  'credentials/resolve.ts',
  'credentials/keychain.ts',
];

/**
 * @typedef {{
 *   outputFiles: Pick<import('esbuild').OutputFile, 'path' | 'contents'>[],
 *   inputs: string[],
 *   cold: Map<string, string>,
 *   plugin: import('esbuild').Plugin,
 * }} Core
 *   `cold`: the modules that the core imports when they are wanted, by the names that it expects them under; `plugin`: makes the core's
 *   modules, where others import them, those that have been loaded already
 */

/**
 * Node loads one CommonJS file in a third of the time that an ES module and its chunks take, and most of what a short command
 * takes is its start. The commands that are not part of it stay ES modules.
 *
 * @param {import('esbuild').BuildOptions & { absWorkingDir: string }} common
 * @returns {Promise<Core>}
 */
export async function buildCore(common) {
  const root = common.absWorkingDir;
  const sources = resolve(root, 'packages/cli/src');
  /** @type {Map<string, string>} */
  const cold = new Map();

  /** @type {import('esbuild').Plugin} */
  const leaveOut = {
    name: 'leave-out',
    setup({ onResolve, resolve: find }) {
      onResolve({ filter: /./ }, async ({ path, kind, importer, resolveDir, pluginData }) => {
        if (pluginData === leaveOut || kind !== 'dynamic-import') return undefined;
        const { path: file, external } = await find(path, { kind, importer, resolveDir, pluginData: leaveOut });
        if (external || WITH_CORE.includes(relative(sources, file))) return undefined;
        const name = nameOf(path, file, sources);
        cold.set(name, relative(root, file));
        return { path: `./${name}.js`, external: true };
      });
      // commander can run programs of other names as commands, and this one has none: 3 ms of each start.
      onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
        /[\\/]commander[\\/]/.test(importer) ? { path: 'child_process', namespace: 'nothing' } : undefined,
      );
    },
  };
  /** @type {import('esbuild').Plugin} */
  const nothing = {
    name: 'nothing',
    setup({ onLoad }) {
      onLoad({ filter: /./, namespace: 'nothing' }, () => ({ contents: '' }));
    },
  };

  const start = 'packages/cli/src/start.ts';
  /** @param {string} contents */
  const bundle = (contents) =>
    build({
      ...common,
      stdin: { contents, resolveDir: root, sourcefile: '<core>' },
      outfile: `packages/cli/dist/${CORE}`,
      format: 'cjs',
      define: IMPORT_META,
      banner: { js: 'let loadModule;' },
      legalComments: 'none',
      metafile: true,
      plugins: [...(common.plugins ?? []), leaveOut, nothing],
    });

  const { metafile } = await bundle(`require('./${start}');`);
  const inputs = Object.keys(metafile.inputs);
  // Of libraries, others may have a copy of their own. Each is run when it is first asked for, by the core itself or by others.
  const files = inputs.filter((path) => /^packages\/.*\.[jt]s$/.test(path));
  const modules = files.map((path) => `get ${JSON.stringify(path)}() { return require('./${path}'); },`);
  const whole = await bundle(`
    exports.modules = {\n${modules.join('\n')}\n};
    exports.start = (args, load) => {
      loadModule = load;
      return require('./${start}').start(args);
    };
  `);
  const main = await buildMain(common);
  const exported = await exportsOf(common, files);
  const core = (whole.outputFiles ?? []).map(({ path, text }) => ({
    path,
    contents: Buffer.from(withoutImport(text)),
  }));
  const outputFiles = [...(main.outputFiles ?? []), ...core];
  return { outputFiles, inputs, cold, plugin: useCore(root, exported) };
}

/** V8 cannot resolve `import()` in what it has kept of a script, so the core is given another. @param {string} text */
function withoutImport(text) {
  const without = text.replaceAll('import("', 'loadModule("');
  if (/\bimport\(/.test(without)) throw new Error(`${CORE} holds an import() of what no literal names.`);
  return without;
}

/** @param {import('esbuild').BuildOptions} common */
function buildMain(common) {
  /** @type {import('esbuild').Plugin} */
  const core = {
    name: 'core',
    setup({ onResolve }) {
      onResolve({ filter: /^\.\/start\.ts$/ }, ({ resolveDir }) => ({
        path: resolve(resolveDir, 'start-compiled.ts'),
      }));
    },
  };
  return build({
    ...common,
    entryPoints: ['packages/cli/src/main.ts'],
    outfile: `packages/cli/dist/${MAIN}`,
    format: 'cjs',
    define: IMPORT_META,
    plugins: [core],
  });
}

const IMPORT_META = { 'import.meta.filename': '__filename', 'import.meta.dirname': '__dirname' };

/**
 * What the modules export by name.
 *
 * @param {import('esbuild').BuildOptions & { absWorkingDir: string }} common
 * @param {string[]} files
 * @returns {Promise<Map<string, string[]>>}
 */
async function exportsOf(common, files) {
  const { metafile } = await build({
    ...common,
    entryPoints: files,
    outdir: 'nowhere',
    outbase: '.',
    format: 'esm',
    splitting: true,
    metafile: true,
  });
  /** @type {Map<string, string[]>} */
  const exported = new Map();
  for (const { entryPoint, exports } of Object.values(metafile?.outputs ?? {})) {
    // Those that are imported dynamically count as entry points, too.
    if (entryPoint === undefined || !files.includes(entryPoint)) continue;
    exported.set(entryPoint, exports);
  }
  return exported;
}

/** @param {string} root @param {Map<string, string[]>} exported @returns {import('esbuild').Plugin} */
function useCore(root, exported) {
  /** @type {import('esbuild').Plugin} */
  const plugin = {
    name: 'use-core',
    setup({ onLoad, onResolve, resolve: find }) {
      onResolve({ filter: /./ }, async ({ path, kind, importer, resolveDir, namespace, pluginData }) => {
        if (namespace === 'core') return { path, external: true };
        if (pluginData === plugin || kind === 'entry-point') return undefined;
        const found = await find(path, { kind, importer, resolveDir, pluginData: plugin });
        const file = relative(root, found.path);
        return exported.has(file) ? { path: file, namespace: 'core' } : undefined;
      });
      onLoad({ filter: /./, namespace: 'core' }, ({ path }) => {
        const module = `require('./${CORE}').modules[${JSON.stringify(path)}]`;
        const names = exported.get(path) ?? [];
        return { contents: `export const { ${names.join(', ')} } = ${module};` };
      });
    },
  };
  return plugin;
}

/** "commands-list" for a file of the CLI, "ora" for a package. @param {string} path @param {string} file @param {string} sources */
function nameOf(path, file, sources) {
  if (!path.startsWith('.')) return path.replaceAll(/[@/]/g, '-').replace(/^-/, '');
  return relative(sources, file).replaceAll(/[\\/]/g, '-').slice(0, -'.ts'.length);
}
