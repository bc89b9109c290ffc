import { execFileSync } from 'node:child_process';
import { appendFile, chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { CredentialStoreError } from '../src/credentials/credential-store-error.ts';
import { createMemoryStore } from '../src/credentials/memory.ts';
import type { Context } from '../src/context.ts';
import { createIo } from '../src/io.ts';
import { asNobody, NOBODY } from './as-nobody.ts';
import { connectionCut, openWorld, writePicture, type Outcome, type World } from './world.ts';
import { eventually } from '../../server/test/eventually.ts';

/** Watches a folder while the work lasts, and stops it then. */
async function watching(world: World, args: string[], work: (folder: string) => Promise<void>) {
  const folder = join(world.folder, 'in');
  await mkdir(folder, { recursive: true });
  const { promise, stop } = stoppable();
  const { running, ready } = start(world, [folder, ...args], { stopRequested: () => promise });
  await ready;
  await work(folder).finally(stop);
  return running;
}

/** Resolves `ready` when it watches, or has ended without. */
function start(world: World, args: string[], context: Partial<Context>) {
  let running: Promise<Outcome> | undefined;
  const ready = new Promise<unknown>((resolve) => {
    const onNote = (text: string) => text.includes('Watching') && resolve(null);
    running = world.imgup(['watch', ...args], { context, onNote });
    void running.then(resolve);
  });
  return { running: running ?? Promise.reject(new Error('not started')), ready };
}

function stoppable() {
  let stop = () => {};
  const promise = new Promise<void>((resolve) => (stop = resolve));
  return { promise, stop };
}

/** How many uploads have been answered from now on. */
function countUploads({ network }: World): () => number {
  let answered = 0;
  network.way = async (request, next) => {
    const answer = await next(request);
    if (request.method === 'POST' && request.url.pathname === '/api/images') answered += 1;
    return answer;
  };
  return () => answered;
}

test('what appears is uploaded once it is whole, and nothing else', async () => {
  const world = await openWorld();
  await world.register();
  const bytes = await readFile(await world.picture('whole.png', 1));
  await mkdir(join(world.folder, 'in'));
  await writePicture(join(world.folder, 'in', 'before.png'), 2);
  const uploads = countUploads(world);
  const outcome = await watching(world, [], async (folder) => {
    await writeFile(join(folder, '.hidden.png'), bytes);
    await writeFile(join(folder, 'notes.txt'), 'no picture');
    const slow = join(folder, 'slow.png');
    await writeFile(slow, bytes.subarray(0, 40));
    await delay(700);
    expect(uploads()).toBe(0);
    await appendFile(slow, bytes.subarray(40));
    await rename(await world.picture('moved.png', 3), join(folder, 'moved.png'));
    await eventually(() => expect(uploads()).toBe(2));
    await delay(300);
  });
  expect(outcome.code).toBe(0);
  expect(outcome.stdout.trimEnd().split('\n')).toHaveLength(2);
  expect(outcome.stderr).toMatch(/^Watching \S+; Ctrl-C ends it\.\n2 pictures uploaded\.\n$/);
});

test.runIf(process.platform === 'linux').each([
  ['--verbose', 2],
  ['--recursive', 3],
  ['--existing', 3],
])('names that are no UTF-8 are no hindrance, with %s', async (option, all) => {
  const world = await openWorld();
  await world.register();
  const [before, slow, other, below] = await Promise.all(
    [1, 2, 3, 4].map(async (seed) => readFile(await world.picture(`${seed}.png`, seed))),
  );
  const folder = join(world.folder, 'in');
  await mkdir(join(folder, 'below'), { recursive: true });
  const write = (name: string, bytes = Buffer.alloc(0)) =>
    appendFile(Buffer.from(`${folder}/${name}.png`, 'latin1'), bytes);
  await write('\xe0', before);
  const uploads = countUploads(world);
  const outcome = await watching(world, [option, '--delete-after'], async () => {
    await write('below/\xe9', below);
    await write('\xe8', other);
    await write('\xe9', slow?.subarray(0, 40));
    await delay(700);
    await write('\xe9', slow?.subarray(40));
    await eventually(() => expect(uploads()).toBe(all));
    await delay(300);
  });
  expect(outcome.code).toBe(0);
  expect(outcome.stdout.trimEnd().split('\n')).toHaveLength(all);
  expect(uploads()).toBe(all);
});

test('one that the server refuses does not end it, and --existing --delete-after empties a folder', async () => {
  const world = await openWorld();
  await world.register();
  const folder = join(world.folder, 'in');
  await mkdir(folder);
  await writePicture(join(folder, 'a.png'), 2);
  await writeFile(join(folder, 'half.png'), (await readFile(join(folder, 'a.png'))).subarray(0, 60));
  await writePicture(join(folder, 'z.png'), 3);
  const uploads = countUploads(world);
  const outcome = await watching(world, ['--existing', '--delete-after', '--json'], async () => {
    await eventually(async () => expect(await readdir(folder)).toEqual(['half.png']));
    await eventually(() => expect(uploads()).toBe(3));
    await delay(200);
  });
  expect(outcome.code).toBe(3);
  const lines = outcome.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { status: string });
  const last = lines.pop();
  expect(lines.map(({ status }) => status).toSorted()).toEqual(['failed', 'uploaded', 'uploaded']);
  expect(last).toMatchObject({ error: { code: 'some_failed' }, uploaded: 2, not_uploaded: 1 });
  expect(outcome.stderr).toContain('half.png: The picture is damaged');
  expect(outcome.stderr).toMatch(/\nimgup: 1 of 3 not uploaded, 2 uploaded; see above\.\n$/);
});

const silent = new CredentialStoreError('timeout', 'The keychain did not answer', 'restart it');

test('a keychain that is silent for a while costs no picture', async () => {
  const store = createMemoryStore();
  let asked = 0;
  const getPassword: typeof store.getPassword = (...of) => {
    asked += 1;
    return asked > 2 ? store.getPassword(...of) : Promise.reject(silent);
  };
  // Asked for the account too, so that the way to the server is what fails at first.
  const findCredentials: typeof store.findCredentials = (...of) => {
    asked += 1;
    return asked > 2 ? store.findCredentials(...of) : Promise.reject(silent);
  };
  const world = await openWorld({ credentials: { ...store, getPassword, findCredentials } });
  asked = 10;
  await world.register('ada');
  await world.register('bob');
  asked = 0;
  const uploads = countUploads(world);
  const outcome = await watching(world, ['--account', 'ada'], async (folder) => {
    await writePicture(join(folder, 'a.png'));
    await eventually(() => expect(uploads()).toBe(1));
    await delay(200);
  });
  expect(outcome).toMatchObject({ code: 0 });
  const refused = 'imgup: The keychain did not answer; restart it. The next attempt is in 30 s.\n';
  expect(outcome.stderr).toContain(`${refused}${refused}`);
  expect(outcome.stderr).toMatch(/\n1 picture uploaded\.\n$/);
});

test('pictures that it could not upload until it was ended are its failure', async () => {
  const world = await openWorld();
  await world.register();
  world.network.way = (request) => Promise.reject(connectionCut(request));
  const { promise, stop } = stoppable();
  const folder = join(world.folder, 'in');
  await mkdir(folder);
  await writePicture(join(folder, 'a.png'), 1);
  await writePicture(join(folder, 'b.png'), 2);
  const wait = (ms: number, signal: AbortSignal) => {
    if (ms === 30_000) stop();
    return signal.aborted || ms === 30_000 ? Promise.reject(new Error('ended')) : Promise.resolve();
  };
  const context = { stopRequested: () => promise, wait };
  const outcome = await world.imgup(['watch', folder, '--existing', '--quiet'], { context });
  expect(outcome).toMatchObject({ code: 1, stdout: '' });
  expect(outcome.stderr).toMatch(/\nimgup: 2 of 2 not uploaded; see above\.\n$/);
});

test('a log-in that has ended ends it, and a folder that is none is said so', async () => {
  const world = await openWorld();
  const outcome = await watching(world, [], async (folder) => {
    await writePicture(join(folder, 'a.png'));
    await delay(2_500);
  });
  expect(outcome).toMatchObject({ code: 4, stdout: '' });
  await rm(join(world.folder, 'in'), { recursive: true });
  expect(await world.imgup(['watch', join(world.folder, 'in')])).toMatchObject({ code: 1, stdout: '' });
});

test('a hidden folder that is named as ./.shots is watched', async () => {
  const world = await openWorld();
  await world.register();
  const folder = join(world.folder, '.shots');
  await mkdir(folder);
  const { promise, stop } = stoppable();
  const uploads = countUploads(world);
  const context = { stopRequested: () => promise };
  const { running, ready } = start(world, [`./${relative('.', folder)}`], context);
  await ready;
  await writePicture(join(folder, 'a.png'));
  await eventually(() => expect(uploads()).toBe(1)).finally(stop);
  expect(await running).toMatchObject({ code: 0 });
});

test('what was half there is tried again when it is whole, and so is what another has replaced', async () => {
  const world = await openWorld();
  await world.register();
  const [first, second] = [
    await readFile(await world.picture('1.png', 1)),
    await readFile(await world.picture('2.png', 2)),
  ];
  const uploads = countUploads(world);
  const outcome = await watching(world, [], async (folder) => {
    const path = join(folder, 'shot.png');
    await writeFile(path, first.subarray(0, 60));
    await eventually(() => expect(uploads()).toBe(1));
    await delay(100);
    await appendFile(path, first.subarray(60));
    await eventually(() => expect(uploads()).toBe(2));
    await delay(100);
    await writeFile(path, second);
    await eventually(() => expect(uploads()).toBe(3));
    await delay(100);
  });
  expect(outcome.stdout.trimEnd().split('\n')).toHaveLength(2);
  expect(outcome.stderr).toMatch(/\n2 pictures uploaded\.\n$/);
  expect(outcome.code).toBe(0);
}, 20_000);

test('a folder that is removed ends it, and what is no file is let be', async () => {
  const world = await openWorld();
  const folder = join(world.folder, 'in');
  await mkdir(folder);
  execFileSync('mkfifo', [join(folder, 'f.png')]);
  const running = watching(world, ['--existing'], async () => {
    await delay(1_500);
    await rm(folder, { recursive: true });
    await delay(2_500);
  });
  const { code, stderr } = await running;
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringMatching(
      /^Watching \S+; Ctrl-C ends it\.\nimgup: The folder \S+ is gone; name one to watch\.\n$/,
    ),
  });
});

test('it ends when nobody reads its links any more', async () => {
  const world = await openWorld();
  await world.register();
  const folder = join(world.folder, 'in');
  await mkdir(folder);
  await writePicture(join(folder, 'a.png'), 1);
  await writePicture(join(folder, 'b.png'), 2);
  const uploads = countUploads(world);
  const gone = Object.assign(new Error('no reader'), { code: 'EPIPE' });
  const stdout = new Writable({ write: (_chunk, _encoding, done) => done(gone) });
  const io = createIo({ stdin: Readable.from([]), stdout, stderr: new PassThrough() });
  const { promise } = stoppable();
  const context = { io, stopRequested: () => promise };
  expect(await world.imgup(['watch', folder, '--existing'], { context })).toMatchObject({ code: 3 });
  expect(uploads()).toBe(1);
});

test('its failures are JSON where the settings ask for that', async () => {
  const world = await openWorld();
  await world.imgup(['config', 'set', 'format', 'json']);
  const outcome = await world.imgup(['watch', join(world.folder, 'nowhere')]);
  expect({ code: outcome.code, ...(JSON.parse(outcome.stdout) as object) }).toMatchObject({
    code: 1,
    error: { code: 'not_a_folder', exit_code: 1 },
  });
});

test('-r tells of a folder that it cannot read, and watches the others', async () => {
  const world = await openWorld();
  await world.register();
  const folder = join(world.folder, 'in');
  const closed = join(folder, 'closed');
  await mkdir(closed, { recursive: true });
  if (process.geteuid?.() === 0) execFileSync('chown', ['-R', `${NOBODY}`, world.folder]);
  await chmod(closed, 0);
  onTestFinished(() => chmod(closed, 0o755));
  const uploads = countUploads(world);
  const outcome = await asNobody(() =>
    watching(world, ['-r'], async () => {
      await writePicture(join(folder, 'a.png'));
      await eventually(() => expect(uploads()).toBe(1));
      await delay(100);
    }),
  );
  expect(outcome).toMatchObject({ code: 0 });
  expect(outcome.stderr).toContain(`imgup: The folder ${closed} cannot be read (EACCES); check its permissions.\n`);
});

test('Ctrl-C while the folder is looked at for the first time ends it', async () => {
  const world = await openWorld();
  const folder = join(world.folder, 'in');
  for (let number = 0; number < 300; number += 1) await mkdir(join(folder, `${number}`), { recursive: true });
  const outcome = await world.imgup(['watch', '-r', folder], { context: { stopRequested: async () => undefined } });
  expect(outcome).toMatchObject({ code: 0, stdout: '' });
});
