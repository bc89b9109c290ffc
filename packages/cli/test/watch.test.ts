import { appendFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { openWorld, writePicture, type World } from './world.ts';

/** Watches a folder while the work lasts, and stops it then. */
async function watching(world: World, args: string[], work: (folder: string) => Promise<void>) {
  const folder = join(world.folder, 'in');
  await mkdir(folder, { recursive: true });
  const { promise, stop } = stoppable();
  const running = world.imgup(['watch', folder, ...args], { context: { stopRequested: () => promise } });
  await delay(300);
  await work(folder).finally(stop);
  return running;
}

function stoppable() {
  let stop = () => {};
  const promise = new Promise<void>((resolve) => (stop = resolve));
  return { promise, stop };
}

const uploads = (world: World) =>
  world.requests.filter(({ method, url }) => method === 'POST' && url.pathname === '/api/images').length;

test('what appears is uploaded once it is whole, and nothing else', async () => {
  const world = await openWorld();
  await world.register();
  const bytes = await readFile(await world.picture('whole.png', 1));
  await mkdir(join(world.folder, 'in'));
  await writePicture(join(world.folder, 'in', 'before.png'), 2);
  const outcome = await watching(world, [], async (folder) => {
    await writeFile(join(folder, '.hidden.png'), bytes);
    await writeFile(join(folder, 'notes.txt'), 'no picture');
    const slow = join(folder, 'slow.png');
    await writeFile(slow, bytes.subarray(0, 40));
    await delay(700);
    expect(uploads(world)).toBe(0);
    await appendFile(slow, bytes.subarray(40));
    await rename(await world.picture('moved.png', 3), join(folder, 'moved.png'));
    await vi.waitFor(() => expect(uploads(world)).toBe(2), 10_000);
    await delay(300);
  });
  expect(outcome.code).toBe(0);
  expect(outcome.stdout.trimEnd().split('\n')).toHaveLength(2);
  expect(outcome.stderr).toMatch(/^Watching \S+; Ctrl-C ends it\.\n2 pictures uploaded\.\n$/);
});

test('one that the server refuses does not end it, and --existing --delete-after empties a folder', async () => {
  const world = await openWorld();
  await world.register();
  const folder = join(world.folder, 'in');
  await mkdir(folder);
  await writePicture(join(folder, 'a.png'), 2);
  await writeFile(join(folder, 'half.png'), (await readFile(join(folder, 'a.png'))).subarray(0, 60));
  await writePicture(join(folder, 'z.png'), 3);
  const outcome = await watching(world, ['--existing', '--delete-after', '--json'], async () => {
    await vi.waitFor(async () => expect(await readdir(folder)).toEqual(['half.png']), 10_000);
    await vi.waitFor(() => expect(uploads(world)).toBe(3), 10_000);
    await delay(200);
  });
  expect(outcome.code).toBe(0);
  const lines = outcome.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { status: string });
  expect(lines.map(({ status }) => status).toSorted()).toEqual(['failed', 'uploaded', 'uploaded']);
  expect(outcome.stderr).toContain('half.png: The picture is damaged');
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
