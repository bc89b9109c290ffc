import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, delimiter, dirname, join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { cliOutput, type ImagesResponse } from '@imgup/shared';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import type { TransportRequest } from '../src/api/transport.ts';
import { CliError, EXIT } from '../src/errors.ts';
import { createIo } from '../src/io.ts';
import { bodyOf, connectionCut, openWorld, PASSWORD, writePicture, type World } from './world.ts';

const isUpload = ({ method, url }: TransportRequest) => method === 'POST' && url.pathname === '/api/images';
const uploadsIn = (world: World) => world.requests.filter(isUpload).length;

async function pictures(world: World, names: string[]): Promise<string[]> {
  return Promise.all(names.map((name, index) => world.picture(name, index + 1)));
}

async function numbered(world: World, count: number): Promise<string[]> {
  return pictures(
    world,
    Array.from({ length: count }, (_, index) => `${String(index + 1).padStart(2, '0')}.png`),
  );
}

/** What the server has, by name. */
async function stored(world: World): Promise<string[]> {
  const record = await world.record();
  const headers = { Authorization: `Bearer ${record?.access_token}` };
  const answer = await world.app.fetch(new Request('http://127.0.0.1:4747/api/images?limit=200', { headers }));
  return ((await answer.json()) as ImagesResponse).images.map(({ name }) => name ?? '').toSorted();
}

async function names(world: World, stdout: string): Promise<(string | null)[]> {
  const record = await world.record();
  const headers = { Authorization: `Bearer ${record?.access_token}` };
  const answer = await world.app.fetch(new Request('http://127.0.0.1:4747/api/images?limit=200', { headers }));
  const { images } = (await answer.json()) as ImagesResponse;
  return stdout
    .trimEnd()
    .split('\n')
    .map((url) => images.find((image) => image.url === url)?.name ?? null);
}

async function loggedIn(): Promise<World> {
  const world = await openWorld();
  await world.register();
  return world;
}

describe('many files', () => {
  test('give a link a line in the order of the arguments', async () => {
    const world = await loggedIn();
    const files = await pictures(world, ['c.png', 'a.png', 'b.png']);
    const { code, stdout, stderr } = await world.imgup(['upload', ...files]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(await names(world, stdout)).toEqual(['c.png', 'a.png', 'b.png']);
  });

  test('one that is bad does not stop the others: exit code 3, its reason, and the links of the others', async () => {
    const world = await loggedIn();
    const [a = '', b = ''] = await pictures(world, ['a.png', 'b.png']);
    const half = join(world.folder, 'half.png');
    await writeFile(half, (await readFile(a)).subarray(0, 60));
    const none = join(world.folder, 'none.png');
    const outcome = await world.imgup(['upload', a, half, none, b]);
    expect(outcome.code).toBe(3);
    expect(await names(world, outcome.stdout)).toEqual(['a.png', 'b.png']);
    const [first, second, last] = outcome.stderr.split('\n');
    expect(first).toMatch(new RegExp(`^imgup: ${half}: The picture is damaged`));
    expect(second).toBe(`imgup: There is no file ${none}; check its name.`);
    expect(last).toBe('imgup: 2 of 4 failed, 2 uploaded; see above.');
    const { code } = await world.imgup(['upload', half, half]);
    expect(code).toBe(5);
  });

  test('the same bytes under two names are one picture and one slot', async () => {
    const world = await loggedIn();
    const [a, b] = [await world.picture('a.png', 7), await world.picture('b.png', 7)];
    const { code, stdout } = await world.imgup(['upload', a, b]);
    const [first, second] = stdout.trimEnd().split('\n');
    expect({ code, second }).toEqual({ code: 0, second: first });
    expect(uploadsIn(world)).toBe(1);
  });

  test('that the server has already are answered without a slot', async () => {
    const world = await loggedIn();
    const files = await numbered(world, 5);
    const first = await world.imgup(['upload', ...files]);
    world.requests.length = 0;
    expect(await world.imgup(['upload', ...files, '--no-wait'])).toEqual(first);
    expect(uploadsIn(world)).toBe(0);
  });

  test('with an expiry that the present picture does not have are sent', async () => {
    const world = await loggedIn();
    const file = await world.picture();
    await world.imgup(['upload', file, '--expires', '1d']);
    world.requests.length = 0;
    await world.imgup(['upload', file, '--expires', '1d']);
    expect(uploadsIn(world)).toBe(0);
    await world.imgup(['upload', file, '--expires', '7d']);
    await world.imgup(['upload', file]);
    expect(uploadsIn(world)).toBe(2);
    await world.imgup(['upload', file, '--expires', '7d']);
    expect(uploadsIn(world)).toBe(2);
  });
});

test('what is there already for good, or under another name, is told where --expires or --name asked otherwise', async () => {
  const world = await loggedIn();
  const file = await world.picture();
  const { stdout } = await world.imgup(['upload', file]);
  expect(await world.imgup(['upload', file, '--expires', '1d', '--name', 'other.png'])).toEqual({
    code: 0,
    stdout,
    stderr:
      `${file}: was there already for good, and its link does not expire.\n` +
      `${file}: was there already, and is still called photo.png.\n`,
  });
});

describe('the upload limit', () => {
  test('is waited for exactly: 12 pictures at 5 a minute take two minutes', async () => {
    const world = await loggedIn();
    const files = await numbered(world, 12);
    const before = world.clock.server;
    expect(await world.imgup(['upload', ...files])).toMatchObject({ code: 0, stderr: '' });
    expect(world.clock.server - before).toBe(120_000);
    // Nothing is sent only to be refused.
    expect(uploadsIn(world)).toBe(12);
    expect(await stored(world)).toHaveLength(12);
  });

  test('shows how far it is, and when it goes on, on a terminal', async () => {
    const world = await loggedIn();
    const { code, stderr } = await world.imgup(['upload', ...(await numbered(world, 7))], {
      terminal: true,
      context: {
        wait: async (ms) => {
          world.clock.local += ms;
          world.clock.server += ms;
          // So that the line is drawn.
          await delay(20);
        },
      },
    });
    expect(code).toBe(0);
    expect(stderr).toMatch(/5 of 7 done, next in \d+ s/);
    expect(stderr).toContain('7 pictures uploaded.');
  });

  test('with --no-wait ends with exit code 6 and what is left, and what is there already is still found', async () => {
    const world = await loggedIn();
    const files = await numbered(world, 8);
    await world.imgup(['upload', files[7] ?? '']);
    const { code, stdout, stderr } = await world.imgup(['upload', ...files, '--no-wait']);
    expect(code).toBe(6);
    expect(await names(world, stdout)).toEqual(['01.png', '02.png', '03.png', '04.png', '08.png']);
    expect(stderr).toBe(
      `${files.slice(4, 7).join('\n')}\n` +
        'imgup: The upload limit is reached (5 a minute); try again in 60 s. 5 of 8 uploaded; run the same command again for the rest.\n',
    );
  });

  test('that another process has used up is waited for as the server says', async () => {
    const world = await loggedIn();
    const files = await numbered(world, 12);
    const halves = [files.slice(0, 6), files.slice(6)];
    const outcomes = await Promise.all(halves.map((half) => world.imgup(['upload', ...half])));
    expect(outcomes.map(({ code }) => code)).toEqual([0, 0]);
    expect(await stored(world)).toHaveLength(12);
  });
});

describe('faults', () => {
  test('20 files with the network cut every second request are each uploaded exactly once', async () => {
    const world = await loggedIn();
    const files = await numbered(world, 20);
    let requests = 0;
    world.network.way = async (request, next) => {
      requests += 1;
      if (requests % 2 === 1) return next(request);
      // Every other cut comes after the server has done its work: the answer is lost.
      if (requests % 4 === 0) await next(request);
      throw connectionCut(request);
    };
    const { code, stdout, stderr } = await world.imgup(['upload', ...files]);
    expect(stderr).toBe('');
    world.network.way = (request, next) => next(request);
    expect(code).toBe(0);
    expect(new Set(stdout.trimEnd().split('\n')).size).toBe(20);
    expect(await stored(world)).toEqual(files.map((file) => basename(file)));
  });

  test('a server that fails for a while is asked again, and one that goes on failing is the failure', async () => {
    const world = await loggedIn();
    const file = await world.picture();
    let failures = 3;
    world.network.way = async (request, next) => {
      if (failures-- <= 0) return next(request);
      return { status: 502, headers: { 'content-type': 'text/html' }, body: bodyOf('<p>') };
    };
    const { code, stderr } = await world.imgup(['upload', file, '--verbose']);
    expect(code).toBe(0);
    expect(stderr).toContain('answers 502. Try again in a while. The next attempt is in');
    failures = 1000;
    expect(await world.imgup(['upload', file])).toMatchObject({ code: 7, stdout: '' });
  });

  test('a server that is not there is not waited for', async () => {
    const world = await loggedIn();
    const { TransportError } = await import('../src/api/transport.ts');
    world.network.way = ({ url }) => Promise.reject(new TransportError('refused', url.origin, 'connection refused'));
    const before = world.clock.local;
    expect(await world.imgup(['upload', ...(await numbered(world, 3))])).toMatchObject({ code: 7, stdout: '' });
    expect(world.clock.local).toBe(before);
  });

  test('Ctrl-C ends with what was uploaded, and the same command does the rest', async () => {
    const world = await loggedIn();
    const files = await numbered(world, 5);
    const controller = new AbortController();
    world.network.way = async (request, next) => {
      if (isUpload(request) && uploadsIn(world) === 3) {
        controller.abort(new CliError('interrupted', EXIT.interrupted, 'Interrupted.'));
      }
      return next(request);
    };
    const context = { interrupted: () => controller.signal };
    const { code, stdout, stderr } = await world.imgup(['upload', ...files], { context });
    expect(code).toBe(130);
    expect(stdout.trimEnd().split('\n')).toHaveLength(2);
    expect(stderr).toBe('imgup: Interrupted. 2 of 5 uploaded; run the same command again for the rest.\n');
    const again = await world.imgup(['upload', ...files]);
    expect(again.code).toBe(0);
    expect(again.stdout.startsWith(stdout)).toBe(true);
    expect(await stored(world)).toHaveLength(5);
  });

  test('a log-in that has ended ends the batch with exit code 4', async () => {
    const world = await loggedIn();
    const files = await numbered(world, 6);
    await world.imgup(['logout']);
    world.requests.length = 0;
    expect(await world.imgup(['upload', ...files])).toMatchObject({ code: 4, stdout: '' });
    expect(world.asked()).toEqual([]);
  });
});

describe('Ctrl-C', () => {
  test.each([['-'], ['--files-from', '-']])('while stdin is read for upload %s %s ends with 130', async (...args) => {
    const world = await loggedIn();
    const controller = new AbortController();
    const io = createIo({ stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() });
    const context = { io, interrupted: () => controller.signal };
    const outcome = world.imgup(['upload', ...args], { context });
    await delay(100);
    controller.abort(new CliError('interrupted', EXIT.interrupted, 'Interrupted.'));
    expect(await outcome).toMatchObject({ code: 130 });
  });

  test.each([
    ['whoami'],
    ['list'],
    ['upload', 'PICTURE'],
    ['logout'],
    ['doctor'],
    ['login', '--username', 'ada', '--password-stdin'],
  ])('ends imgup %s, which waits for a keychain that is silent', async (...args) => {
    const world = await loggedIn();
    const controller = new AbortController();
    const silent = () => {
      setImmediate(() => controller.abort(new CliError('interrupted', EXIT.interrupted, 'Interrupted.')));
      return new Promise<never>(() => undefined);
    };
    const credentials = async () => ({ ...world.credentials, getPassword: silent, setPassword: silent });
    const context = { interrupted: () => controller.signal, credentials };
    const picture = await world.picture();
    const typed = args.map((word) => (word === 'PICTURE' ? picture : word));
    expect(await world.imgup(typed, { context, stdin: `${PASSWORD}\n` })).toMatchObject({ code: 130, stdout: '' });
  });

  test('ends imgup doctor with 130', async () => {
    const world = await loggedIn();
    const controller = new AbortController();
    world.network.way = (request) => {
      controller.abort(new CliError('interrupted', EXIT.interrupted, 'Interrupted.'));
      return Promise.reject(connectionCut(request));
    };
    const context = { interrupted: () => controller.signal };
    expect(await world.imgup(['doctor'], { context })).toMatchObject({ code: 130, stdout: '' });
  });
});

describe('--delete-after', () => {
  test('removes what the server has, also what it had already, and nothing else', async () => {
    const world = await loggedIn();
    const [a = '', b = ''] = await pictures(world, ['a.png', 'b.png']);
    const half = join(world.folder, 'half.png');
    await writeFile(half, (await readFile(a)).subarray(0, 60));
    await world.imgup(['upload', a]);
    expect(await world.imgup(['upload', a, half, b, '--delete-after'])).toMatchObject({ code: 3 });
    expect((await readdir(world.folder)).filter((name) => name.endsWith('.png'))).toEqual(['half.png']);
  });

  test.each([
    ['that was changed while it was sent', async (path: string) => void (await writePicture(path, 99))],
    ['of which the server confirms another digest', async () => undefined],
  ])('leaves a file %s', async (_what, change) => {
    const world = await loggedIn();
    const file = await world.picture();
    world.network.way = async (request, next) => {
      const answer = await next(request);
      if (!isUpload(request)) return answer;
      await change(file);
      const { readText } = await import('../src/api/transport.ts');
      const image = JSON.parse(await readText(answer, request)) as object;
      const source_sha256 = _what.startsWith('of which') ? '0'.repeat(64) : Reflect.get(image, 'source_sha256');
      return { ...answer, body: bodyOf(JSON.stringify({ ...image, source_sha256 })) };
    };
    const { code, stdout, stderr } = await world.imgup(['upload', file, '--delete-after']);
    expect(stdout).toMatch(/^http\S+\n$/);
    expect({ code, stderr }).toEqual({
      code: 3,
      stderr: `imgup: ${file} was uploaded, and not deleted: it was changed meanwhile.\n`,
    });
    expect(await readdir(world.folder)).toContain('photo.png');
  });
});

describe('--delete-after, where a file', () => {
  test('cannot be deleted, gives its link and the failure', async () => {
    const world = await loggedIn();
    const [a = '', b = ''] = await pictures(world, ['a.png', 'b.png']);
    world.network.way = async (request, next) => {
      const answer = await next(request);
      // root deletes from any folder: what is changed meanwhile stands in for what may not be deleted.
      if (isUpload(request)) await writePicture(a, 98);
      return answer;
    };
    const text = await world.imgup(['upload', a, '--delete-after']);
    expect(text).toMatchObject({ code: 3, stdout: expect.stringMatching(/^http/) });
    await writePicture(a, 5);
    const { code, stdout, stderr } = await world.imgup(['upload', a, b, '--delete-after', '--json']);
    const document: unknown = JSON.parse(stdout);
    expect(v.is(cliOutput.upload, document)).toBe(true);
    expect(document).toMatchObject({
      files: [{ status: 'uploaded', image: {}, error: { code: 'file_changed', exit_code: 3 } }, { status: 'uploaded' }],
      failed: 0,
    });
    expect({ code, last: stderr.trimEnd().split('\n').at(-1) }).toMatchObject({
      code: 3,
      last: expect.stringContaining('2 uploaded, 1 not deleted; see above.'),
    });
  });

  test('is named twice, does not fail', async () => {
    const world = await loggedIn();
    const [a = '', ...others] = await numbered(world, 5);
    const twice = await world.imgup(['upload', a, a, ...others, a, '--delete-after']);
    expect(twice).toMatchObject({ code: 0, stderr: '' });
    expect(twice.stdout.trimEnd().split('\n')).toHaveLength(7);
  });

  test('was removed by somebody else meanwhile, does not fail', async () => {
    const world = await loggedIn();
    const file = await world.picture();
    world.network.way = async (request, next) => {
      const answer = await next(request);
      if (isUpload(request)) await rm(file, { force: true });
      return answer;
    };
    expect(await world.imgup(['upload', file, '--delete-after'])).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('what to upload', () => {
  async function folder(world: World): Promise<string> {
    const root = join(world.folder, 'pictures');
    await mkdir(join(root, 'trip', '.hidden'), { recursive: true });
    for (const [index, name] of [
      'b2.png',
      'b10.PNG',
      'trip/a.png',
      '.secret.png',
      'trip/.hidden/x.png',
      'draft.png',
    ].entries()) {
      await writePicture(join(root, name), index + 1);
    }
    await writeFile(join(root, 'notes.txt'), 'no picture');
    return root;
  }

  test('folders give their pictures in order, without hidden files and what is no picture', async () => {
    const world = await loggedIn();
    const root = await folder(world);
    const { code, stdout, stderr } = await world.imgup(['upload', '-r', root]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(await names(world, stdout)).toEqual(['b2.png', 'b10.PNG', 'draft.png', 'a.png']);
  });

  test('--include and --exclude choose in folders', async () => {
    const world = await loggedIn();
    const root = await folder(world);
    const chosen = async (...args: string[]) =>
      names(world, (await world.imgup(['upload', '-r', root, ...args])).stdout);
    expect(await chosen('--exclude', 'draft*', '--exclude', 'b10*')).toEqual(['b2.png', 'a.png']);
    expect(await chosen('--include', 'trip/**')).toEqual(['a.png']);
    expect(await world.imgup(['upload', '--include', '*.png', root])).toMatchObject({ code: 2 });
    expect(await world.imgup(['upload', '-r', '--include', '*.webp', root])).toMatchObject({
      code: 1,
      stderr: 'imgup: There is no picture there; check the names.\n',
    });
  });

  test('"-" is stdin, which can be named, and leaves no copy behind', async () => {
    const world = await loggedIn();
    const { tmpdir } = await import('node:os');
    const spools = async () => (await readdir(tmpdir())).filter((name) => /^imgup-[A-Za-z0-9]{6}$/.test(name));
    const before = await spools();
    const bytes = await readFile(await world.picture('x.png', 3));
    const stdin = bytes as unknown as string;
    const { code, stdout } = await world.imgup(['upload', '-', '--name', 'screen.png'], { stdin });
    expect(code).toBe(0);
    expect(await names(world, stdout)).toEqual(['screen.png']);
    expect(await spools()).toEqual(before);
    expect(await world.imgup(['upload', '-'])).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('stdin is empty'),
    });
    expect(await world.imgup(['upload', '-'], { terminal: true })).toMatchObject({ code: 2 });
    expect(await world.imgup(['upload', '-', '-'])).toMatchObject({ code: 2 });
  });

  test.each([
    ['a text', 'hello, this is no picture at all'],
    ['a HEIC', '\0\0\0\x18ftypheic\0\0\0\0mif1heic'],
  ])('%s on stdin is refused at its first bytes, and the files beside it go on', async (_what, start) => {
    const world = await loggedIn();
    const stdin = Object.assign(new PassThrough(), { isTTY: false });
    const stdout = new PassThrough({ encoding: 'utf8' });
    const stderr = new PassThrough({ encoding: 'utf8' });
    const io = createIo({ stdin, stdout, stderr });
    // It never ends, and whoever writes into it is not kept waiting for long.
    stdin.write(Buffer.from(start, 'latin1'));
    expect(await world.imgup(['upload', '-', await world.picture()], { context: { io } })).toMatchObject({ code: 3 });
    expect(stdin.destroyed).toBe(true);
    expect(stderr.read()).toMatch(/^imgup: stdin: This is no picture that the server takes; .*\nimgup: 1 of 2 failed/);
    expect(stdout.read()).toMatch(/^http\S+\n$/);
  });

  test('pictures that come on stdin in pieces are whole', async () => {
    const world = await loggedIn();
    const stdin = Object.assign(new PassThrough(), { isTTY: false });
    const io = createIo({ stdin, stdout: new PassThrough(), stderr: new PassThrough() });
    for (const byte of await readFile(await world.picture('x.png', 3))) stdin.write(Buffer.from([byte]));
    stdin.end();
    expect(await world.imgup(['upload', '-'], { context: { io } })).toMatchObject({ code: 0 });
  });

  test.each([['\n'], ['\r\n'], ['\0']])('--files-from reads names between %j', async (between) => {
    const world = await loggedIn();
    const files = await pictures(world, ['a b.png', 'c.png']);
    const list = join(world.folder, 'list');
    await writeFile(list, `\uFEFF${files.join(between)}${between}`);
    const { stdout } = await world.imgup(['upload', '--files-from', list]);
    expect(await names(world, stdout)).toEqual(['a b.png', 'c.png']);
    expect(await world.imgup(['upload', '--files-from', '-'], { stdin: files.join(between) })).toMatchObject({
      stdout,
    });
    expect(await world.imgup(['upload', '--files-from', `${list}x`])).toMatchObject({ code: 1, stdout: '' });
  });

  test('--files-from reads what comes through a named pipe, from one who begins later', async () => {
    const world = await loggedIn();
    const list = join(world.folder, 'list');
    execFileSync('mkfifo', [list]);
    const outcome = world.imgup(['upload', '--files-from', list]);
    await writeFile(list, `${await world.picture('a.png')}\n`);
    expect(await names(world, (await outcome).stdout)).toEqual(['a.png']);
  });

  test('--files-from refuses a list without an end', async () => {
    const world = await loggedIn();
    const stdin = Readable.from(forever(Buffer.alloc(65_536, 'y\n')));
    const io = createIo({ stdin, stdout: new PassThrough(), stderr: new PassThrough() });
    expect(await world.imgup(['upload', '--files-from', '-'], { context: { io } })).toMatchObject({ code: 2 });
    expect(await world.imgup(['upload', '--files-from', '/dev/zero'])).toMatchObject({
      code: 2,
      stderr: 'imgup: The list of --files-from is longer than 16 MB; give it in parts.\n',
    });
  });

  test('nothing at all is wrong usage', async () => {
    const world = await loggedIn();
    expect(await world.imgup(['upload'])).toMatchObject({ code: 2, stderr: expect.stringContaining('Name a picture') });
    expect(await world.imgup(['upload', 'a', 'b', '--name', 'c'])).toMatchObject({ code: 2 });
    for (const option of ['--files-from', '--name', '--include', '--exclude'])
      expect(await world.imgup(['upload', '-r', 'a', option, ''])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(`${option} is empty`),
      });
  });
});

describe('output', () => {
  test.each([
    ['markdown', (url: string) => String.raw`![a\[1\].png](${url})`],
    ['html', (url: string) => `<img src="${url}" alt="a[1].png" width="8" height="6">`],
    ['bbcode', (url: string) => `[img]${url}[/img]`],
    ['{name}: {url} ({width}x{height})', (url: string) => `a[1].png: ${url} (8x6)`],
  ])('--format %s', async (format, expected) => {
    const world = await loggedIn();
    const file = await world.picture('a[1].png');
    const url = (await world.imgup(['upload', file])).stdout.trim();
    expect(await world.imgup(['upload', file, '--format', format])).toEqual({
      code: 0,
      stdout: `${expected(url)}\n`,
      stderr: '',
    });
  });

  test.each([
    [
      'mark',
      '--format is "mark"; give one of url, markdown, html, bbcode, json, or a template such as \'{url} {name}\'',
    ],
    ['{url', '--format is "{url", with a brace that is not closed'],
    ['x{', '--format is "x{", with a brace that is not closed'],
    ['{url} {', 'with a brace that is not closed'],
    ['{link}', '--format has no {link}; there are {url}'],
    ['{url} {toString}', '--format has no {toString}'],
  ])('--format %s is wrong usage', async (format, sentence) => {
    const world = await loggedIn();
    const outcome = await world.imgup(['upload', 'x.png', '--format', format]);
    expect(outcome).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(sentence) });
  });

  test('--json is one document with the failures in it, and --jsonl a line for each file', async () => {
    const world = await loggedIn();
    const [a = ''] = await pictures(world, ['a.png']);
    const none = join(world.folder, 'none.png');
    const error = { code: 'file_not_found', message: `There is no file ${none}; check its name.`, exit_code: 1 };
    const json = await world.imgup(['upload', a, none, '--json']);
    expect({ code: json.code, ...(JSON.parse(json.stdout) as object) }).toMatchObject({
      code: 3,
      files: [
        { file: a, status: 'uploaded', image: { name: 'a.png' } },
        { file: none, status: 'failed', error },
      ],
      uploaded: 1,
      present: 0,
      failed: 1,
      left: 0,
      error: { code: 'some_failed', exit_code: 3 },
    });
    expect(await world.imgup(['upload', a, none, '--format', 'json'])).toMatchObject({
      code: 3,
      stdout: expect.stringMatching(/^\{"files"/),
    });
    const lines = (await world.imgup(['upload', a, none, '--jsonl'])).stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(lines).toMatchObject([
      { file: a, status: 'present' },
      { file: none, status: 'failed', error },
      { failed: 1, error: { exit_code: 3 } },
    ]);
  });

  test.each([
    ['--', '--json'],
    ['none.png', '--name', '--jsonl'],
  ])('upload %s %s %s does not ask for JSON', async (...args) => {
    const world = await loggedIn();
    expect(await world.imgup(['upload', ...args])).toMatchObject({ code: 1, stdout: '' });
  });

  test('--qr is on stderr, and --copy, --open and --from-clipboard run what the system has for it', async () => {
    const world = await loggedIn();
    const file = await world.picture();
    const { stdout, stderr } = await world.imgup(['upload', file, '--qr']);
    expect(stdout).toMatch(/^http\S+\n$/);
    expect(stderr).toMatch(/[▀▄█]/);

    const bin = join(world.folder, 'bin');
    await mkdir(bin);
    const tool = async (name: string, script: string) => {
      await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`);
      await chmod(join(bin, name), 0o755);
    };
    await tool('xclip', `case "$*" in *-out*) cat "${file}";; *) cat > "${bin}/copied";; esac`);
    const env = { DISPLAY: ':9', PATH: [bin, process.env['PATH'], dirname(process.execPath)].join(delimiter) };
    const other = await world.picture('other.png', 5);
    const copied = await world.imgup(['upload', file, other, '--copy'], { env });
    expect(copied.code).toBe(0);
    expect(`${await readFile(join(bin, 'copied'), 'utf8')}\n`).toBe(copied.stdout);
    expect(await world.imgup(['upload', '--from-clipboard'], { env })).toMatchObject({ code: 0, stdout });
    const nowhere = await world.imgup(['upload', file, '--copy'], { env: { PATH: bin } });
    expect(nowhere).toMatchObject({
      code: 1,
      stdout,
      stderr: expect.stringContaining('There is no clipboard to copy to'),
    });
  });
});

function* forever<T>(value: T): Generator<T> {
  for (;;) yield value;
}
