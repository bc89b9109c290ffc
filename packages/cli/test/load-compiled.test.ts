import { execFile } from 'node:child_process';
import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { makeOwnFolder } from '../src/own-folder.ts';
import { asNobody } from './as-nobody.ts';
import { temporaryFolder } from './world.ts';

const SOURCES = fileURLToPath(new URL('../src/', import.meta.url));
const run = promisify(execFile);

let home: string;
let program: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'imgup-test-'));
  program = join(home, 'program.mjs');
  await build({
    stdin: {
      contents: `
        import { createRequire } from 'node:module';
        import { loadCompiled } from './load-compiled.ts';
        const [, , file, folder, wanted] = process.argv;
        const require = createRequire(file);
        const { exports, keep } = loadCompiled(file, { require, folder });
        const same = require(file) === exports;
        console.log(exports.says(), same, require.cache[file].loaded);
        if (wanted === 'keep') keep();
      `,
      resolveDir: SOURCES,
      loader: 'ts',
    },
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: program,
    logLevel: 'silent',
  });
});
afterAll(() => rm(home, { recursive: true, force: true }));

let file: string;
let folder: string;
beforeEach(async () => {
  const own = await mkdtemp(join(home, 'test-'));
  file = join(own, 'module.cjs');
  folder = join(own, 'compiled');
  await mkdir(folder, { mode: 0o700 });
});

/** Of one length, whatever word: V8 tells sources apart by that alone. */
const saying = (word: 'one' | 'two') => `exports.says = () => '${word}';`;

async function start(wanted: 'keep' | 'leave', flags: string[] = []): Promise<string> {
  const { stdout, stderr } = await run(process.execPath, [...flags, program, file, folder, wanted]);
  expect(stderr).toBe('');
  return stdout.trim();
}

/** What is kept of a module that says "two", under the name of one that says "one": who runs it says "two". */
async function plant(): Promise<string> {
  await writeFile(file, saying('one'));
  await start('keep');
  const [one = ''] = await readdir(folder);
  await writeFile(file, saying('two'));
  await start('keep');
  const two = (await readdir(folder)).find((name) => name !== one) ?? '';
  await copyFile(join(folder, two), join(folder, one));
  await rm(join(folder, two));
  await writeFile(file, saying('one'));
  return join(folder, one);
}

const WHOLE = 'true true';

test('what was compiled is kept for this user alone, and run at the next start', async () => {
  const kept = await plant();
  expect((await lstat(kept)).mode & 0o777).toBe(0o600);
  expect(await start('leave')).toBe(`two ${WHOLE}`);
});

test('it is written once', async () => {
  await writeFile(file, saying('one'));
  await start('keep');
  const [name = ''] = await readdir(folder);
  const { ino, mtimeMs } = await lstat(join(folder, name));
  expect(await start('keep')).toBe(`one ${WHOLE}`);
  expect(await readdir(folder)).toEqual([name]);
  expect(await lstat(join(folder, name))).toMatchObject({ ino, mtimeMs });
});

test('another source of the same length is compiled itself', async () => {
  await writeFile(file, saying('one'));
  await start('keep');
  await writeFile(file, saying('two'));
  expect(await start('keep')).toBe(`two ${WHOLE}`);
});

describe('is not run, and is replaced, where it', () => {
  const damages: [string, (bytes: Buffer) => Buffer][] = [
    ['is empty', () => Buffer.alloc(0)],
    ['ends early', (bytes) => bytes.subarray(0, bytes.length / 2)],
    ['is something else', () => Buffer.from('something else')],
    [
      'has a flipped bit',
      (bytes) => bytes.fill((bytes[bytes.length >> 1] ?? 0) ^ 1, bytes.length >> 1, (bytes.length >> 1) + 1),
    ],
  ];
  test.each(damages)('%s', async (_what, damage) => {
    await writeFile(file, saying('one'));
    await start('keep');
    const [name = ''] = await readdir(folder);
    const good = await readFile(join(folder, name));
    const damaged = damage(Buffer.from(good));
    await writeFile(join(folder, name), damaged);
    expect(await start('keep')).toBe(`one ${WHOLE}`);
    expect(await readdir(folder)).toEqual([name]);
    expect((await readFile(join(folder, name))).equals(damaged)).toBe(false);
  });
});

test.skipIf(process.platform === 'win32')('nothing is run that others may write to', async () => {
  const kept = await plant();
  await chmod(kept, 0o620);
  expect(await start('leave')).toBe(`one ${WHOLE}`);
});

test.skipIf(process.platform === 'win32')('nothing is run that lies elsewhere', async () => {
  const kept = await plant();
  await copyFile(kept, `${folder}.elsewhere`);
  await rm(kept);
  await symlink(`${folder}.elsewhere`, kept);
  expect(await start('leave')).toBe(`one ${WHOLE}`);
});

test.skipIf(process.platform === 'win32')('a named pipe in its place is not waited for', async () => {
  await writeFile(file, saying('one'));
  await start('keep');
  const [name = ''] = await readdir(folder);
  await rm(join(folder, name));
  await run('mkfifo', ['-m', '600', join(folder, name)]);
  expect(await start('keep')).toBe(`one ${WHOLE}`);
  expect((await lstat(join(folder, name))).isFile()).toBe(true);
});

test('what V8 refuses, because it was made with other flags, is replaced', async () => {
  await writeFile(file, saying('one'));
  await start('keep', ['--no-opt']);
  const [name = ''] = await readdir(folder);
  const before = await readFile(join(folder, name));
  expect(await start('keep')).toBe(`one ${WHOLE}`);
  expect(await readdir(folder)).toEqual([name]);
  expect((await readFile(join(folder, name))).equals(before)).toBe(false);
});

test('a folder that is not there changes nothing', async () => {
  await writeFile(file, saying('one'));
  await rm(folder, { recursive: true });
  expect(await start('keep')).toBe(`one ${WHOLE}`);
});

test.skipIf(process.platform === 'win32')('what there is no room for is not kept, and leaves no draft', async () => {
  await writeFile(file, `${saying('one')}\nexports.long = '${'long '.repeat(1000)}';`);
  const command = ['-c', 'ulimit -f 1; exec "$@"', 'sh', process.execPath, program, file, folder, 'keep'];
  expect((await run('sh', command)).stdout.trim()).toBe(`one ${WHOLE}`);
  expect(await readdir(folder)).toEqual([]);
  await start('keep');
  expect(await readdir(folder)).toHaveLength(1);
});

test('many first starts at once leave one file, and no draft', async () => {
  await writeFile(file, saying('one'));
  const said = await Promise.all(Array.from({ length: 8 }, () => start('keep')));
  expect(new Set(said)).toEqual(new Set([`one ${WHOLE}`]));
  expect(await readdir(folder)).toHaveLength(1);
  expect(await start('leave')).toBe(`one ${WHOLE}`);
});

test('what was kept of programs that are gone is removed in time, and nothing else', async () => {
  const old = new Date(Date.now() - 40 * 24 * 60 * 60 * 1000);
  for (const name of ['core.cjs-0.v8', 'notes.txt']) {
    await writeFile(join(folder, name), '');
    await utimes(join(folder, name), old, old);
  }
  await writeFile(join(folder, 'core.cjs-1.v8'), '');
  await writeFile(file, saying('one'));
  await start('keep');
  const left = (await readdir(folder)).filter((name) => !name.startsWith('module.cjs-'));
  expect(left.toSorted()).toEqual(['core.cjs-1.v8', 'notes.txt']);
});

describe.skipIf(process.platform === 'win32')('the folder', () => {
  test('is made, for this user alone', async () => {
    const path = join(await temporaryFolder(), 'cache', 'imgup', 'compiled');
    expect(makeOwnFolder(path)).toBe(true);
    expect((await lstat(path)).mode & 0o777).toBe(0o700);
    expect(makeOwnFolder(path)).toBe(true);
  });

  test('is none that others may write to, nor a link to one', async () => {
    const home = await temporaryFolder();
    await mkdir(join(home, 'open'));
    await chmod(join(home, 'open'), 0o770);
    expect(makeOwnFolder(join(home, 'open'))).toBe(false);
    await symlink(await mkdtemp(join(home, 'elsewhere-')), join(home, 'link'));
    expect(makeOwnFolder(join(home, 'link'))).toBe(false);
    await writeFile(join(home, 'file'), '');
    expect(makeOwnFolder(join(home, 'file'))).toBe(false);
  });

  test('is none that others can put another in the place of', async () => {
    const home = await temporaryFolder();
    await mkdir(join(home, 'open', 'compiled'), { recursive: true, mode: 0o700 });
    await chmod(join(home, 'open'), 0o777);
    expect(makeOwnFolder(join(home, 'open', 'compiled'))).toBe(false);
    expect(makeOwnFolder(join(home, 'open', 'new'))).toBe(false);
    await symlink(join('open', 'compiled'), join(home, 'link'));
    expect(makeOwnFolder(join(home, 'link', 'new'))).toBe(false);
    await chmod(join(home, 'open'), 0o1777);
    expect(makeOwnFolder(join(home, 'open', 'compiled'))).toBe(true);
    expect(makeOwnFolder(join(home, 'link', 'new'))).toBe(true);
  });

  test.skipIf(process.getuid?.() !== 0)('is not behind a link of somebody else, nor made there', async () => {
    const home = await temporaryFolder();
    await mkdir(join(home, 'ours'));
    await chmod(home, 0o1777);
    await asNobody(() => symlink(join(home, 'ours'), join(home, 'theirs')));
    expect(makeOwnFolder(join(home, 'theirs', 'compiled'))).toBe(false);
    expect(await readdir(join(home, 'ours'))).toEqual([]);
  });

  test.skipIf(process.getuid?.() !== 0)('is none of somebody else, in whose home nothing is made', async () => {
    const home = await temporaryFolder();
    await chmod(home, 0o777);
    await asNobody(() => mkdir(join(home, 'theirs', 'compiled'), { recursive: true, mode: 0o700 }));
    expect(makeOwnFolder(join(home, 'theirs', 'compiled'))).toBe(false);
    expect(makeOwnFolder(join(home, 'theirs', '.cache', 'imgup'))).toBe(false);
    expect(await readdir(join(home, 'theirs'))).toEqual(['compiled']);
  });
});
