import { execFileSync } from 'node:child_process';
import { lstat, mkdir, open, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageResponse, ImagesResponse } from '@imgup/shared';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { TransportRequest, TransportResponse } from '../src/api/transport.ts';
import { bodyOf, connectionCut, openWorld, rewriting, SERVER, type World } from './world.ts';

async function loggedIn(options: Parameters<typeof openWorld>[0] = {}): Promise<World> {
  const world = await openWorld({ uploadLimit: { uploads: 1000, windowMs: 60_000 }, ...options });
  await world.register();
  return world;
}

/** Uploads so many pictures, a minute apart, and gives what the server says of them, the first first. */
async function uploaded(world: World, number: number, args: string[] = []): Promise<ImageResponse[]> {
  const images: ImageResponse[] = [];
  for (let index = 0; index < number; index += 1) {
    const path = await world.picture(`${index}.png`, index);
    const { stdout } = await world.imgup(['upload', path, '--format', 'json', ...args]);
    images.push(...(JSON.parse(stdout) as { files: { image: ImageResponse }[] }).files.map(({ image }) => image));
    world.clock.server += 60_000;
    world.clock.local += 60_000;
  }
  world.requests.length = 0;
  return images;
}

const listed = async (world: World) =>
  JSON.parse((await world.imgup(['list', '--all', '--json'])).stdout) as ImagesResponse;

test.each(['/', '//', '/?w=160#x'])('a link with %s behind it is the same link', async (end) => {
  const world = await loggedIn();
  const [image] = await uploaded(world, 1);
  const link = `${image?.url}${end}`;
  expect(JSON.parse((await world.imgup(['show', link, '--json'])).stdout)).toMatchObject({ id: image?.id });
  expect(await world.imgup(['get', link, '-o', join(world.folder, 'got.png')])).toMatchObject({ code: 0, stderr: '' });
  expect(await world.imgup(['rm', link, '--quiet'])).toMatchObject({ code: 0, stderr: '' });
});

describe('imgup list', () => {
  test('shows the newest first, with size, age and link', async () => {
    const world = await loggedIn();
    const [older, newer] = await uploaded(world, 2);
    const { code, stdout, stderr } = await world.imgup(['list']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [head, first, second, ...rest] = stdout.trimEnd().split('\n');
    expect(head).toMatch(/^NAME +SIZE +PIXELS +AGE +LINK$/);
    expect(first).toMatch(new RegExp(String.raw`^1\.png +\d+ B +8×6 +1 min +${newer?.url}$`));
    expect(second).toMatch(new RegExp(String.raw`^0\.png +\d+ B +8×6 +2 min +${older?.url}$`));
    expect(rest).toEqual([]);
  });

  test('has a column for what expires, where anything does', async () => {
    const world = await loggedIn();
    await uploaded(world, 1, ['--expires', '7d']);
    expect((await world.imgup(['list'])).stdout).toMatch(/EXPIRES \(UTC\).*\n.*2026-01-08 12:00/);
  });

  test('says on a terminal how many there are, and nothing of it in a pipe', async () => {
    const world = await loggedIn();
    expect(await world.imgup(['list'])).toEqual({ code: 0, stdout: '', stderr: '' });
    expect((await world.imgup(['list'], { terminal: true })).stderr).toContain('You have no pictures there yet');
    await uploaded(world, 3);
    const { stdout, stderr } = await world.imgup(['ls', '--limit', '2'], { terminal: true });
    expect(stdout.split('\n')).toHaveLength(4);
    expect(stderr).toMatch(/^The latest 2 of 3 pictures, \d+ B; --all lists them all\.\n$/);
    expect((await world.imgup(['list', '--limit', '2'])).stderr).toBe('');
  });

  test('names that are wide, long or hostile keep the columns where they are', async () => {
    const world = await loggedIn();
    await world.imgup(['upload', await world.picture('写真.png', 1)]);
    world.clock.server += 1000;
    await world.imgup(['upload', await world.picture(`${'x'.repeat(80)}.png`, 2)]);
    const { stdout } = await world.imgup(['list'], { terminal: true });
    const [head = '', long = '', wide = ''] = stdout.split('\n');
    expect(long).toMatch(/^x{39}…  \d/);
    expect(head.indexOf('SIZE')).toBe(42);
    expect(wide.indexOf(' B ')).toBe(long.indexOf(' B ') - 2);
  });

  test('--all goes through the pages', { timeout: 60_000 }, async () => {
    const world = await loggedIn();
    const files = await Promise.all(Array.from({ length: 205 }, (_, index) => world.picture(`${index}.png`, index)));
    expect(await world.imgup(['upload', ...files])).toMatchObject({ code: 0 });
    world.requests.length = 0;
    const { images, next, total } = await listed(world);
    expect(new Set(images.map(({ id }) => id)).size).toBe(205);
    expect({ next, pictures: total.pictures }).toEqual({ next: null, pictures: 205 });
    expect(world.asked()).toHaveLength(2);
    const some = JSON.parse((await world.imgup(['list', '-n', '202', '--json'])).stdout) as ImagesResponse;
    expect(some.images.map(({ id }) => id)).toEqual(images.slice(0, 202).map(({ id }) => id));
    expect(some.next).toBe(images[201]?.id);
  });

  test.each([
    ['--limit', '0'],
    ['--limit', '1.5'],
    ['--limit', 'x'],
    ['--limit', '3', '--all'],
  ])('%s %s %s is wrong usage', async (...args) => {
    const world = await loggedIn();
    expect(await world.imgup(['list', ...args])).toMatchObject({ code: 2, stdout: '' });
    expect(world.requests).toEqual([]);
  });
});

describe('imgup show', () => {
  test.each(['id', 'url', 'last'] as const)('finds a picture by %s', async (way) => {
    const world = await loggedIn();
    const [image] = await uploaded(world, 1);
    const named = way === 'last' ? 'last' : (image?.[way] ?? '');
    const { code, stdout, stderr } = await world.imgup(['show', named]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`link      ${image?.url}\n`);
    expect(stdout).toContain('uploaded  2026-01-01 12:00 UTC (1 min ago)\n');
    expect(JSON.parse((await world.imgup(['show', named, '--json'])).stdout)).toEqual(image);
  });

  test.each([
    'last',
    'nosuchid',
    '../users',
    `${SERVER}/i/x/y.png`,
    `${SERVER}/api/images`,
    'https://elsewhere.example/i/a/b.png',
  ])('says that there is no picture %j', async (named) => {
    const world = await loggedIn();
    const { code, stdout, stderr } = await world.imgup(['show', named]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^imgup: You have no picture/);
  });

  test("does not show another's, whose link has one's own id in it", async () => {
    const world = await loggedIn();
    const [image] = await uploaded(world, 1);
    const forged = image?.url.replace(/\/i\/[^/]+/, '/i/someoneelse') ?? '';
    expect(await world.imgup(['show', forged])).toMatchObject({ code: 1, stdout: '' });
  });

  test.each([
    ['kitty', '\u001b_Ga=T,f=100,q=2,m=0;'],
    ['iterm2', '\u001b]1337;File=inline=1;'],
    ['sixel', '\u001bP'],
    ['blocks', '▀▀▀▀▀▀▀▀'],
  ])('draws it as %s', async (way, start) => {
    const world = await loggedIn();
    await uploaded(world, 1);
    const { code, stdout } = await world.imgup(['show', 'last', '--as', way]);
    expect(code).toBe(0);
    // oxlint-disable-next-line no-control-regex -- colours begin with ESC
    expect(way === 'blocks' ? stdout.replace(/\u001b\[[0-9;]*m/g, '') : stdout).toMatch(startingWith(start));
    expect(stdout).toMatch(/\nlink {6}http/);
  });

  test('refuses a way of drawing that it does not know', async () => {
    const world = await loggedIn();
    const { code, stderr } = await world.imgup(['show', 'last', '--as', 'oil']);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: 'imgup: --as is "oil"; give one of kitty, iterm2, sixel, blocks.\n',
    });
  });

  test('shows what is known where the picture cannot be had', async () => {
    const world = await loggedIn();
    await uploaded(world, 1);
    world.network.way = (request, next) =>
      request.url.pathname.startsWith('/i/') ? Promise.reject(connectionCut(request)) : next(request);
    const { code, stdout, stderr } = await world.imgup(['show', 'last', '--as', 'blocks']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^link /);
    expect(stderr).toMatch(/^imgup: The picture cannot be shown here: Cannot reach/);
  });
});

describe('imgup get', () => {
  test('saves a picture under its name, and prints the name of the file', async () => {
    const world = await loggedIn();
    const [image] = await uploaded(world, 1);
    const folder = join(world.folder, 'out');
    await mkdir(folder);
    const path = join(folder, '0.png');
    expect(await world.imgup(['get', 'last', '-o', folder])).toEqual({ code: 0, stdout: `${path}\n`, stderr: '' });
    expect(await readdir(folder)).toEqual(['0.png']);
    expect(await readFile(path)).toEqual(await servedBytes(world, image));
  });

  test('never replaces a file unasked', async () => {
    const world = await loggedIn();
    await uploaded(world, 1);
    const path = join(world.folder, 'there.png');
    await writeFile(path, 'mine');
    const { code, stderr } = await world.imgup(['get', 'last', '-o', path]);
    expect(code).toBe(1);
    expect(stderr).toBe(`imgup: ${path} is there already; use --force to replace it, or name another with --output.\n`);
    expect(await readFile(path, 'utf8')).toBe('mine');
    expect(await world.imgup(['get', 'last', '-o', path, '--force'])).toMatchObject({ code: 0 });
    expect(await readFile(path, 'utf8')).not.toBe('mine');
  });

  test('--force replaces what a link leads to, and writes into a pipe', async () => {
    const world = await loggedIn();
    const [image] = await uploaded(world, 1);
    const served = await servedBytes(world, image);
    const [target, link, pipe] = ['target.png', 'link.png', 'pipe'].map((name) => join(world.folder, name)) as [
      string,
      string,
      string,
    ];
    await writeFile(target, 'mine');
    await symlink(target, link);
    expect(await world.imgup(['get', 'last', '-o', link, '--force'])).toMatchObject({ code: 0 });
    expect((await lstat(link)).isSymbolicLink()).toBe(true);
    expect(await readFile(target)).toEqual(served);

    execFileSync('mkfifo', [pipe]);
    // Opened for both, so that neither end waits for the other.
    const reader = await open(pipe, 'r+');
    onTestFinished(() => reader.close());
    expect(await world.imgup(['get', 'last', '-o', pipe, '--force'])).toMatchObject({ code: 0 });
    expect((await lstat(pipe)).isFIFO()).toBe(true);
    expect((await reader.read({ buffer: Buffer.alloc(served.length) })).buffer).toEqual(served);
  });

  test('a file that comes to be there meanwhile is not replaced, and none is there before the picture is whole', async () => {
    const world = await loggedIn();
    await uploaded(world, 1);
    const folder = join(world.folder, 'out');
    await mkdir(folder);
    changePictures(world, (answer) => {
      async function* body() {
        for await (const chunk of answer.body) {
          expect((await readdir(folder)).filter((name) => !name.endsWith('.part'))).toEqual([]);
          await writeFile(join(folder, 'a.png'), 'mine');
          yield chunk;
        }
      }
      return { ...answer, body: body() };
    });
    const { code, stderr } = await world.imgup(['get', 'last', '-o', join(folder, 'a.png')]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('is there already') });
    expect(await readdir(folder)).toEqual(['a.png']);
    expect(await readFile(join(folder, 'a.png'), 'utf8')).toBe('mine');
  });

  test('fetches any link without a log-in, and never sends it a token', async () => {
    const world = await loggedIn();
    const [image] = await uploaded(world, 1);
    await world.imgup(['logout']);
    world.requests.length = 0;
    const path = join(world.folder, 'got.png');
    expect(await world.imgup(['get', image?.url ?? '', '-o', path])).toMatchObject({ code: 0 });
    expect(world.requests.map(({ headers }) => headers['authorization'])).toEqual([undefined]);
  });

  test('asks for a smaller version', async () => {
    const world = await loggedIn();
    await uploaded(world, 1);
    const path = join(world.folder, 'small.png');
    expect(await world.imgup(['get', 'last', '-w', '160', '-o', path])).toMatchObject({ code: 0 });
    expect(await world.imgup(['get', 'last', '-w', '161', '-o', path, '-f'])).toMatchObject({ code: 2 });
  });

  test('writes to stdout with -o -', async () => {
    const world = await loggedIn();
    const [image] = await uploaded(world, 1);
    const { code, stdout } = await world.imgup(['get', 'last', '-o', '-']);
    expect(code).toBe(0);
    expect(stdout).toBe((await servedBytes(world, image)).toString('utf8'));
    expect(await world.imgup(['get', 'last', 'last', '-o', '-'])).toMatchObject({ code: 2 });
  });

  test('leaves nothing of a picture that arrives damaged or not to its end', async () => {
    const world = await loggedIn();
    await uploaded(world, 1);
    const folder = join(world.folder, 'out');
    await mkdir(folder);
    changePictures(world, (answer) => ({ ...answer, body: bodyOf('something else') }));
    const damaged = await world.imgup(['get', 'last', '-o', folder]);
    expect(damaged).toEqual({
      code: 1,
      stdout: '',
      stderr: `imgup: ${SERVER} sent other bytes than it announced; try again.\n`,
    });
    changePictures(world, (answer, request) => ({ ...answer, body: cutBody(request) }));
    expect(await world.imgup(['get', 'last', '-o', folder])).toMatchObject({ code: 7 });
    expect(await readdir(folder)).toEqual([]);
  });

  test.each([
    ['../../evil.png', 'evil.png'],
    ['..\\..\\evil.png', 'evil.png'],
    ['.bashrc', 'bashrc.png'],
    ['run.exe', 'run.exe.png'],
    ['', /^[0-9a-z]+\.png$/],
    ['..', /^[0-9a-z]+\.png$/],
    [`${'é'.repeat(300)}.png`, /^é{125}\.png$/],
    [`${'日'.repeat(83)}.png`, /^日{83}\.png$/],
  ])('a picture called %j becomes a file within the folder', async (name, expected) => {
    const world = await loggedIn();
    await uploaded(world, 1);
    const folder = join(world.folder, 'out');
    await mkdir(folder);
    const header = `inline; filename*=UTF-8''${encodeURIComponent(name)}`;
    changePictures(world, (answer) => ({
      ...answer,
      headers: { ...answer.headers, 'content-disposition': header },
    }));
    expect(await world.imgup(['get', 'last', '-o', folder])).toMatchObject({ code: 0 });
    const [saved, ...others] = await readdir(folder);
    expect(saved).toMatch(expected instanceof RegExp ? expected : startingWith(expected));
    expect(others).toEqual([]);
  });

  test('what is no picture is not saved', async () => {
    const world = await loggedIn();
    const path = join(world.folder, 'page.html');
    const { code, stderr } = await world.imgup(['get', `${SERVER}/healthz`, '-o', path]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/does not answer with a picture/);
    await expect(readFile(path)).rejects.toThrow('ENOENT');
  });

  test('follows a redirect to where the pictures are kept', async () => {
    const world = await loggedIn();
    const [image] = await uploaded(world, 1);
    world.network.way = (request, next) =>
      request.url.searchParams.has('here')
        ? next(request)
        : Promise.resolve({
            status: 302,
            headers: { location: `${request.url.pathname}?here=1` },
            body: bodyOf(''),
          });
    const path = join(world.folder, 'got.png');
    expect(await world.imgup(['get', image?.url ?? '', '-o', path])).toMatchObject({ code: 0 });
    world.network.way = async (request) => ({
      status: 302,
      headers: { location: request.url.href },
      body: bodyOf(''),
    });
    expect(await world.imgup(['get', image?.url ?? '', '-o', path, '-f'])).toMatchObject({ code: 1 });
  });
});

test.each([
  [['get', 'last', '-o', '']],
  [['get', 'last', '']],
  [['get', 'last', '-w', '999']],
  [['get', 'last', '-w', '']],
  [['get', 'last', '-w', 'abc']],
  [['rm', 'last', '']],
  [['show', '']],
  [['use', '']],
])('%j is wrong usage, and nothing is asked for', async (args) => {
  const world = await loggedIn();
  const { code, stdout } = await world.imgup(args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(world.asked().filter((path) => !path.endsWith('/api/me'))).toEqual([]);
});

describe('imgup rm', () => {
  test('takes pictures back by id, link and "last", each of them once', async () => {
    const world = await loggedIn();
    const [first, second, third] = await uploaded(world, 3);
    const { code, stdout, stderr } = await world.imgup([
      'rm',
      first?.id ?? '',
      second?.url ?? '',
      'last',
      third?.id ?? '',
    ]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toBe([first, second, third].map((image) => `Removed ${image?.name} (${image?.url}).\n`).join(''));
    expect((await listed(world)).total.pictures).toBe(0);
  });

  test('one that is named by its id and its link is removed once, and that is no failure', async () => {
    const world = await loggedIn();
    const [image] = await uploaded(world, 1);
    const link = image?.url.replace('http:', 'HTTP:') ?? '';
    const { code, stdout } = await world.imgup(['rm', link, image?.id ?? '', 'last', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ pictures: [{ named: link, status: 'done', image }] });
  });

  test('goes on after one that is not there, and says so: exit code 3', async () => {
    const world = await loggedIn();
    const [image] = await uploaded(world, 1);
    const { code, stdout, stderr } = await world.imgup(['rm', 'nosuchid', 'last', '--json']);
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toEqual({
      pictures: [
        {
          named: 'nosuchid',
          status: 'failed',
          error: { code: 'picture_not_found', message: expect.any(String), exit_code: 1 },
        },
        { named: 'last', status: 'done', image },
      ],
      error: { code: 'some_failed', message: '1 of 2 failed; see above.', exit_code: 3 },
    });
    expect(stderr).toContain('imgup: You have no picture nosuchid');
    expect(await world.imgup(['rm', 'a', 'b'])).toMatchObject({ code: 1 });
  });

  test('stops where the session has ended, with what was done until then', async () => {
    const world = await loggedIn();
    const [first, second] = await uploaded(world, 2);
    let removed = 0;
    world.network.way = (request, next) => {
      if (request.method === 'DELETE' && removed++ === 1) return Promise.reject(connectionCut(request));
      return next(request);
    };
    const { code, stdout } = await world.imgup(['rm', first?.id ?? '', second?.id ?? '', '--json']);
    expect(code).toBe(7);
    expect(JSON.parse(stdout)).toMatchObject({ pictures: [{ status: 'done' }, { status: 'failed' }] });
    expect((await listed(world)).images.map(({ id }) => id)).toEqual([second?.id]);
  });

  test('an answer that no imgup server gives is no removal', async () => {
    const world = await loggedIn();
    await uploaded(world, 1);
    world.network.way = async (request, next) =>
      request.method === 'DELETE' ? { ...(await rewriting(() => '')(request, next)), status: 200 } : next(request);
    expect(await world.imgup(['rm', 'last'])).toMatchObject({ code: 1 });
  });
});

function startingWith(text: string): RegExp {
  return new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)}`);
}

/** Pictures, and nothing else, come otherwise than the server has sent them. */
function changePictures(
  world: World,
  change: (answer: TransportResponse, request: TransportRequest) => TransportResponse,
) {
  world.network.way = async (request, next) => {
    const answer = await next(request);
    return request.url.pathname.startsWith('/i/') ? change(answer, request) : answer;
  };
}

async function servedBytes(world: World, image: ImageResponse | undefined): Promise<Buffer> {
  const answer = await world.app.fetch(new Request(image?.url ?? ''));
  return Buffer.from(await answer.arrayBuffer());
}

async function* cutBody(request: Parameters<typeof connectionCut>[0]): AsyncGenerator<Uint8Array> {
  yield Buffer.from('the beginning');
  throw connectionCut(request);
}
