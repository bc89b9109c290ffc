import { createHash, randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { renameSync, rmSync, unlink, writeFileSync } from 'node:fs';
import Module from 'node:module';
import { basename, dirname, join } from 'node:path';
import { Script } from 'node:vm';
import { isOwnAlone } from './own-folder.ts';

interface Loaded {
  exports: unknown;
  /** Keeps what has been compiled by now for later starts, where nothing is kept yet. Errors: none. */
  keep(): void;
}

/**
 * Loads a CommonJS file as `require` does, with what V8 made of it at an earlier start: Node does this itself from 22.1 on
 * (`enableCompileCache`). The file must not contain `import()`, which V8 cannot resolve in what was kept.
 *
 * V8 looks at its own version, its flags and the length of the source, and runs the rest unread: other bytes of the same
 * length are run, and damaged ones crash it. So what is kept goes by the hash of its source, and begins with a hash of itself.
 *
 * @param options.require that of a file in the same folder
 * @param options.folder where it is kept: this user's own; null: nowhere
 */
export function loadCompiled(
  file: string,
  { require, folder }: { require: NodeJS.Require; folder: string | null },
): Loaded {
  const source = readFileSync(file);
  const key = createHash('sha256').update(`${process.version} ${process.arch}\n`).update(source).digest('hex');
  const path = folder === null ? null : join(folder, `${basename(file)}-${key.slice(0, 32)}${SUFFIX}`);
  const kept = path === null ? null : readKept(path);
  // Joined as bytes: V8 would copy a joined string.
  const script = new Script(Buffer.concat([WRAPPER, source, END]).toString(), {
    filename: file,
    columnOffset: -WRAPPER.length,
    ...(kept === null ? {} : { cachedData: kept }),
  });
  const module = new Module(file);
  module.filename = file;
  // Where others that require the file find it.
  require.cache[file] = module;
  const run = script.runInThisContext() as (...given: unknown[]) => void;
  run.call(module.exports, module.exports, require, module, file, dirname(file));
  module.loaded = true;
  return {
    exports: module.exports,
    keep() {
      // V8 refuses what was made with other flags: were it left, one start with `NODE_OPTIONS` would have all others compile.
      if (path !== null && (kept === null || script.cachedDataRejected === true)) keep(path, script.createCachedData());
    },
  };
}

const WRAPPER = Buffer.from('(function (exports, require, module, __filename, __dirname) { ');
const END = Buffer.from('\n})');

const SUFFIX = '.v8';
const HASH_BYTES = 32;

/** What nobody has written anew for so long may be of a program that is no longer there. */
const ABANDONED_MS = 30 * 24 * 60 * 60 * 1000;

function readKept(path: string): Buffer | null {
  try {
    // To open a named pipe would wait for its writer.
    const file = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    try {
      const bytes = isOwnAlone(fstatSync(file)) ? readFileSync(file) : Buffer.alloc(0);
      const code = bytes.subarray(HASH_BYTES);
      return hashOf(code).equals(bytes.subarray(0, HASH_BYTES)) ? code : null;
    } finally {
      closeSync(file);
    }
  } catch {
    return null;
  }
}

function keep(path: string, code: Buffer): void {
  const draft = `${path}.${randomBytes(6).toString('hex')}${SUFFIX}`;
  try {
    writeFileSync(draft, Buffer.concat([hashOf(code), code]), { flag: 'wx', mode: 0o600 });
    renameSync(draft, path);
    removeAbandoned(dirname(path));
  } catch {
    // Where it cannot be kept, the next start compiles again.
    unlink(draft, () => undefined);
  }
}

function removeAbandoned(folder: string): void {
  for (const name of readdirSync(folder).filter((each) => each.endsWith(SUFFIX))) {
    const path = join(folder, name);
    if (Date.now() - statSync(path).mtimeMs > ABANDONED_MS) rmSync(path, { force: true });
  }
}

function hashOf(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
