import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CliError, EXIT } from '../src/errors.ts';
import { connectionCut, openWorld, rewriting, SERVER } from './world.ts';

const PNG = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');

test('stdout is the link and nothing else, and the link is the picture', async () => {
  const world = await openWorld();
  await world.register();
  const path = await world.picture();
  const outcome = await world.imgup(['upload', path]);
  expect(outcome).toEqual({
    code: 0,
    stdout: expect.stringMatching(/^http:\/\/127\.0\.0\.1:4747\/i\/\S+\.png\n$/),
    stderr: '',
  });
  const answer = await world.app.fetch(new Request(outcome.stdout.trim()));
  expect(Buffer.from(await answer.arrayBuffer())).toEqual(await readFile(path));
});

test('--json is all that is known of the picture', async () => {
  const world = await openWorld();
  await world.register();
  const { code, stdout, stderr } = await world.imgup(['upload', await world.picture('käse "1".png'), '--json']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const image = { name: 'käse "1".png', type: 'image/png', width: 8, height: 6 };
  expect(JSON.parse(stdout)).toMatchObject({ files: [{ status: 'uploaded', image }], uploaded: 1, failed: 0, left: 0 });
});

test('what is sent says its type, its name and its digest', async () => {
  const world = await openWorld();
  await world.register();
  const path = await world.picture('käse.png');
  await world.imgup(['upload', path]);
  const digest = createHash('sha256')
    .update(await readFile(path))
    .digest('base64');
  expect(world.requests.at(-1)?.headers).toMatchObject({
    'content-type': 'image/png',
    'content-disposition': `attachment; filename="k_se.png"; filename*=UTF-8''k%C3%A4se.png`,
    'repr-digest': `sha-256=:${digest}:`,
  });
});

test('the same picture again gets the same link', async () => {
  const world = await openWorld();
  await world.register();
  const path = await world.picture();
  const first = await world.imgup(['upload', path]);
  expect(await world.imgup(['upload', path])).toEqual(first);
});

describe('a file that cannot be uploaded is refused before anything is sent', () => {
  test.each([
    ['is not there', 'nothing.png', 1, 'There is no file'],
    ['is a folder', 'folder', 1, 'is a folder; add -r for the pictures in it'],
    ['is a named pipe', 'pipe', 1, 'is not a file; name a picture'],
    ['is empty', 'empty.png', 5, 'empty.png: The file is empty; choose a picture'],
  ])('because it %s', async (_what, name, code, sentence) => {
    const world = await openWorld();
    await world.register();
    await mkdir(join(world.folder, 'folder'));
    await writeFile(join(world.folder, 'empty.png'), '');
    execFileSync('mkfifo', [join(world.folder, 'pipe')]);
    const outcome = await world.imgup(['upload', join(world.folder, name)]);
    expect(outcome).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(sentence) });
    expect(world.asked()).toEqual([]);
  });
});

describe('a picture that the server refuses has exit code 5 and its name in the sentence', () => {
  test.each([
    ['half a picture', 'half.png', null, 'damaged'],
    ['more than the server takes', 'large.png', Buffer.concat([PNG, Buffer.alloc(30_000)]), 'larger than'],
  ])('%s', async (_what, name, content, sentence) => {
    const world = await openWorld({ maxBytes: 20_000 });
    await world.register();
    const path = join(world.folder, name);
    await writeFile(path, content ?? (await readFile(await world.picture())).subarray(0, 60));
    const outcome = await world.imgup(['upload', path]);
    expect(outcome).toMatchObject({ code: 5, stdout: '' });
    expect(outcome.stderr).toContain(`imgup: ${path}: `);
    expect(outcome.stderr).toContain(sentence);
  });
});

test('what the server says of a picture in a sentence is said once', async () => {
  const world = await openWorld({ maxBytes: 20_000 });
  await world.register();
  const large = join(world.folder, 'large.png');
  await writeFile(large, Buffer.concat([PNG, Buffer.alloc(30_000)]));
  const tooLarge = await world.imgup(['upload', large]);
  expect(tooLarge.stderr).toMatch(/^imgup: \S+: The picture is larger than [^()]+\. Send a smaller one\.\n$/);
  const half = join(world.folder, 'half.png');
  await writeFile(half, (await readFile(await world.picture())).subarray(0, 60));
  const damaged = await world.imgup(['upload', half]);
  expect(damaged.stderr).toMatch(/^imgup: \S+: The picture is damaged: [^()]+\. Export it again and retry\.\n$/);
  for (const detail of ['too large', '']) {
    world.network.way = rewriting((text) => JSON.stringify({ ...JSON.parse(text), detail }));
    const { stderr } = await world.imgup(['upload', large]);
    expect(stderr).toBe(`imgup: ${large}: The picture is too large; send a smaller one.\n`);
  }
});

test('a name that is empty is wrong usage', async () => {
  const world = await openWorld();
  expect(await world.imgup(['upload', ''])).toEqual({
    code: 2,
    stdout: '',
    stderr: 'imgup: The name of a file is empty; name a picture.\n',
  });
});

test('with --no-wait the sixth in a minute has exit code 6, and says when to try again', async () => {
  const world = await openWorld();
  await world.register();
  for (let seed = 1; seed <= 5; seed += 1) {
    expect(await world.imgup(['upload', await world.picture(`${seed}.png`, seed)])).toMatchObject({ code: 0 });
    world.clock.server += 2_000;
  }
  const sixth = await world.picture('6.png', 6);
  expect(await world.imgup(['upload', sixth, '--no-wait'])).toEqual({
    code: 6,
    stdout: '',
    stderr: 'imgup: The upload limit is reached (5 a minute); try again in 50 s.\n',
  });
  const { stdout } = await world.imgup(['upload', sixth, '--no-wait', '--json']);
  expect(JSON.parse(stdout)).toMatchObject({
    files: [{ file: sixth, status: 'left' }],
    left: 1,
    error: {
      code: 'upload_limit_reached',
      message: 'The upload limit is reached (5 a minute); try again in 50 s.',
      exit_code: 6,
    },
  });
  world.clock.server += 50_000;
  expect(await world.imgup(['upload', sixth])).toMatchObject({ code: 0 });
});

test('without a log-in has exit code 4', async () => {
  const world = await openWorld();
  expect(await world.imgup(['upload', await world.picture()])).toEqual({
    code: 4,
    stdout: '',
    stderr: `imgup: You are not logged in at ${SERVER}; run \`imgup login\`.\n`,
  });
});

test('a connection that is cut has exit code 7', async () => {
  const world = await openWorld();
  await world.register();
  world.network.way = (request) => Promise.reject(connectionCut(request));
  expect(await world.imgup(['upload', await world.picture()])).toMatchObject({ code: 7, stdout: '' });
});

test('Ctrl-C has exit code 130, also while something waits that cannot be cancelled', async () => {
  const world = await openWorld();
  await world.register();
  const controller = new AbortController();
  world.network.way = () => {
    controller.abort(new CliError('interrupted', EXIT.interrupted, 'Interrupted.'));
    return new Promise(() => undefined);
  };
  const outcome = await world.imgup(['upload', await world.picture()], {
    context: { interrupted: () => controller.signal },
  });
  expect(outcome).toEqual({ code: 130, stdout: '', stderr: 'imgup: Interrupted.\n' });
});

test('on a terminal a spinner turns on stderr, and stdout has the link alone', async () => {
  const world = await openWorld();
  await world.register();
  const path = await world.picture();
  const { code, stdout, stderr } = await world.imgup(['upload', path], { terminal: true });
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^http\S+\n$/) });
  expect(stderr).toContain('Uploading photo.png');
  expect(await world.imgup(['upload', path, '--quiet'], { terminal: true })).toEqual({ code: 0, stdout, stderr: '' });
});

test('a link that is not one link is not printed', async () => {
  const world = await openWorld();
  await world.register();
  const path = await world.picture();
  for (const url of [
    'http://x/i.png\nrm -rf ~',
    'javascript:alert(1)',
    'http://x/\u001b]0;title\u0007',
    'http://x/ y',
  ]) {
    world.network.way = rewriting((text) => JSON.stringify({ ...JSON.parse(text), url }));
    expect(await world.imgup(['upload', path])).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('does not answer as an imgup server does'),
    });
  }
});

test.each([
  [1, 'is chosen', { IMGUP_CREDENTIAL_STORE: 'keychain' }],
  [0, 'is not chosen', { IMGUP_CREDENTIAL_STORE: 'file' }],
  [0, 'is not known to be there', {}],
  [0, 'is not needed', { IMGUP_CREDENTIAL_STORE: 'keychain', IMGUP_TOKEN: 'a.b.c' }],
])(
  '%d keychains are woken before the picture is read where one %s, and none is waited for',
  async (times, _what, env) => {
    const world = await openWorld();
    let asked = 0;
    const credentials = () => {
      asked += 1;
      return new Promise<never>(() => undefined);
    };
    expect(await world.imgup(['upload', 'missing.png'], { env, context: { credentials } })).toMatchObject({
      code: 1,
      stderr: 'imgup: There is no file missing.png; check its name.\n',
    });
    expect(asked).toBe(times);
  },
);
