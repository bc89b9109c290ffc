import * as nodeModule from 'node:module';
import { join } from 'node:path';
import { compileCacheFolder } from './compile-cache-folder.ts';
import { loadCompiled } from './load-compiled.ts';
import { makeOwnFolder } from './own-folder.ts';

/** What `scripts/cli-core.js` makes of `start.ts` and all that it imports. */
interface Core {
  start(args: string[], load: (path: string) => Promise<unknown>): Promise<number>;
}

const CORE = join(import.meta.dirname, 'core.cjs');

/** In the built program in the place of `start.ts`, which it runs as V8 has compiled it at an earlier start. */
export async function start(args: string[]): Promise<number> {
  const require = nodeModule.createRequire(import.meta.filename);
  const load = (path: string) => import(path) as Promise<unknown>;
  // oxlint-disable-next-line node/no-process-env -- config.ts, which reads it otherwise, is not loaded yet: this is for its start
  const folder = ownFolder(process.env);
  // From Node 22.1 on.
  const { enableCompileCache } = nodeModule as { enableCompileCache?: (folder: string) => unknown };
  if (enableCompileCache !== undefined) {
    if (folder !== null) enableCompileCache(folder);
    return (require(CORE) as Core).start(args, load);
  }
  const { exports, keep } = loadCompiled(CORE, { require, folder });
  const code = await (exports as Core).start(args, load);
  // It holds what has run, and an upload is what should start fast.
  if (code === 0 && args[0] === 'upload') keep();
  return code;
}

function ownFolder(env: NodeJS.ProcessEnv): string | null {
  const folder = compileCacheFolder(env);
  return folder !== null && makeOwnFolder(folder) ? folder : null;
}
