import { execFile, execFileSync } from 'node:child_process';
import { chmod, copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cliOutput } from '@imgup/shared';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { joinPath } from '../src/file-path.ts';
import { walkFolder } from '../src/upload/walk-folder.ts';
import { compileCli, type CliProgram } from './cli-process.ts';
import { asNobody, NOBODY } from './as-nobody.ts';
import { openWorld, temporaryFolder, writePicture, type World } from './world.ts';

/** A person who is logged in, and a folder with these pictures. */
async function withPictures(...names: string[]): Promise<{ world: World; root: string }> {
  const world = await openWorld();
  await world.register();
  const root = join(world.folder, 'pictures');
  for (const [index, name] of names.entries()) {
    await mkdir(join(root, name, '..'), { recursive: true });
    await writePicture(join(root, name), index + 1);
  }
  return { world, root };
}

describe.skipIf(process.platform === 'win32')('a folder below that cannot be read', () => {
  test('is a failure with its reason, in its place, and the others go on', async () => {
    const { world, root } = await withPictures('a.png', 'closed/b.png', 'z.png');
    if (process.geteuid?.() === 0) execFileSync('chown', ['-R', `${NOBODY}`, world.folder]);
    const closed = join(root, 'closed');
    await chmod(closed, 0);
    onTestFinished(() => chmod(closed, 0o755));
    const reason = `The folder ${closed} cannot be read (EACCES); check its permissions, or leave it out with --exclude.`;
    const outcome = await asNobody(() => world.imgup(['upload', '-r', root]));
    expect(outcome).toMatchObject({
      code: 3,
      stderr: `imgup: ${reason}\nimgup: 1 of 3 failed, 2 uploaded; see above.\n`,
    });
    expect(outcome.stdout.trimEnd().split('\n')).toHaveLength(2);

    const json = await asNobody(() => world.imgup(['upload', '-r', root, '--json']));
    const document: unknown = JSON.parse(json.stdout);
    expect(v.is(cliOutput.upload, document)).toBe(true);
    expect(document).toMatchObject({
      files: [
        { status: 'present' },
        { file: closed, status: 'failed', error: { code: 'folder_unreadable', message: reason } },
        {},
      ],
      error: { exit_code: 3 },
    });
    expect(await asNobody(() => world.imgup(['upload', '-r', root, '--exclude', 'closed']))).toMatchObject({ code: 0 });
    expect(await asNobody(() => world.imgup(['upload', '-r', closed]))).toMatchObject({
      code: 1,
      stderr: `imgup: ${reason}\n`,
    });
  });
});

describe('what --include names', () => {
  test.each([['../*'], ['trip/../../*.png'], ['..']])('is refused where it leaves the folder: %s', async (glob) => {
    const { world, root } = await withPictures('trip/a.png');
    await world.picture('outside.png', 9);
    expect(await world.imgup(['upload', '-r', root, '--include', glob])).toEqual({
      code: 2,
      stdout: '',
      stderr: `imgup: --include is "${glob}", which leaves the folder; name the other folder as an argument.\n`,
    });
    expect(await world.imgup(['upload', '-r', root, '--exclude', glob])).toMatchObject({ code: 2 });
  });

  test.each([['.*'], ['**/.*'], ['.hidden/*'], ['trip/.hidden/**'], ['{.a,.b}.png'], ['[.]a.png']])(
    'is never hidden: %s',
    async (glob) => {
      const { world, root } = await withPictures('.a.png', '.hidden/b.png', 'trip/.hidden/c.png', 'trip/.d.png');
      expect(await world.imgup(['upload', '-r', root, '--include', glob])).toMatchObject({ code: 1, stdout: '' });
    },
  );

  test.each([
    ['*.png', 3],
    ['A.PNG', 1],
    ['trip/*', 1],
    ['/trip/*', 1],
    ['./trip/*.png', 1],
    ['trip/**', 2],
    ['**/deep/*', 1],
    ['{a,b}.png', 2],
  ])('may be a glob: %s', async (glob, count) => {
    const { root } = await withPictures('a.png', 'trip/b.png', 'trip/deep/c.png');
    const found = await walkFolder(root, { include: [glob], exclude: [], signal: new AbortController().signal });
    expect(found).toHaveLength(count);
  });
});

test.skipIf(process.platform === 'win32')(
  'links to folders are not followed, and what is no file is let be',
  async () => {
    const { world, root } = await withPictures('a.png');
    await symlink(root, join(root, 'round.png'));
    execFileSync('mkfifo', [join(root, 'pipe.png')]);
    const { code, stdout } = await world.imgup(['upload', '-r', root]);
    expect({ code, links: stdout.trimEnd().split('\n').length }).toEqual({ code: 0, links: 1 });
  },
);

test('Ctrl-C ends the walk', async () => {
  const root = await temporaryFolder();
  await mkdir(join(root, ...Array.from({ length: 200 }, () => 'd')), { recursive: true });
  const controller = new AbortController();
  const walking = walkFolder(root, { include: ['*'], exclude: [], signal: controller.signal });
  const reason = new Error('interrupted');
  setImmediate(() => controller.abort(reason));
  await expect(walking).rejects.toBe(reason);
});

describe.skipIf(process.platform !== 'linux')('a name that is no UTF-8', () => {
  let program: CliProgram;
  beforeAll(async () => {
    program = await compileCli();
  });
  afterAll(() => program.remove());

  async function latin1(): Promise<{ world: World; root: string; path: Buffer }> {
    const { world, root } = await withPictures('plain.png');
    const path = Buffer.concat([Buffer.from(`${root}/caf`), Buffer.from([0xe9]), Buffer.from('.png')]);
    await copyFile(await world.picture('other.png', 7), path);
    return { world, root, path };
  }
  const shown = 'caf\ufffd.png';

  test('is found in a folder, and shown so that it can be printed', async () => {
    const { world, root } = await latin1();
    const outcome = await world.imgup(['upload', '-r', root, '--json']);
    expect({ code: outcome.code, ...(JSON.parse(outcome.stdout) as object) }).toMatchObject({
      code: 0,
      files: [{ file: join(root, shown), image: { name: shown } }, { file: join(root, 'plain.png') }],
    });
  });

  test('is shown as the others are where the folder is the one that the command runs in', () => {
    expect(joinPath('.', Buffer.from([0xe9]))).toEqual(Buffer.from([0xe9]));
    expect(joinPath('.', 'a.png')).toBe('a.png');
  });

  test('is read from a list, and deleted with --delete-after', async () => {
    const { world, root, path } = await latin1();
    const list = join(world.folder, 'list');
    await writeFile(list, Buffer.concat([path, Buffer.from('\n')]));
    expect(await world.imgup(['upload', '--files-from', list, '--delete-after'])).toMatchObject({
      code: 0,
      stderr: '',
    });
    expect(await world.imgup(['upload', '-r', root, '--json'])).toMatchObject({
      stdout: expect.not.stringContaining(shown),
    });
  });

  test('can be typed, of several that are shown alike too', async () => {
    const { world, root, path } = await latin1();
    const other = Buffer.from(path.map((byte) => (byte === 0xe9 ? 0xe8 : byte)));
    await writeFile(other, 'no picture');
    const rawArguments = async () => [Buffer.from('imgup'), Buffer.from('upload'), other, path];
    const typed = join(root, shown);
    const { code, stdout, stderr } = await world.imgup(['upload', typed, typed], { context: { rawArguments } });
    expect({ code, links: stdout.trimEnd().split('\n').length }).toEqual({ code: 3, links: 1 });
    expect(stderr).toContain(`imgup: ${typed}: This is no picture`);
  });

  test('reaches the program as the shell hands it over', async () => {
    const { root } = await latin1();
    await writeFile(Buffer.concat([Buffer.from(`${root}/text`), Buffer.from([0xff])]), 'no picture');
    const script = `"$0" "$1" upload "$2/$(printf 'text\\377')"`;
    const run = promisify(execFile)('sh', ['-c', script, process.execPath, program.main, root]);
    await expect(run).rejects.toMatchObject({
      code: 5,
      stderr: expect.stringContaining(`${join(root, 'text\ufffd')}: This is no picture`),
    });
  });
});
