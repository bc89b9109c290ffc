import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ImageResponse } from '@imgup/shared';
import { checkData } from '@imgup/server';
import { describe, expect, test } from 'vitest';
import { makePicture } from './pictures.ts';
import { bearer, filesOf, imageOf, openApp, refusal, type TestApp } from './test-app.ts';
import { eventually } from './eventually.ts';

/** Where a picture lies in the data folder: the file, its record, its digest pointer. */
function placesOf(app: TestApp, image: ImageResponse) {
  const picture = join(app.data, 'images', ...new URL(image.url).pathname.split('/').slice(2));
  const pointer = join(dirname(picture), 'by-digest', image.sha256);
  return { picture, pointer, record: picture.replace(/\.\w+$/, '.json') };
}

async function withPicture(seed = 0) {
  const app = await openApp({ uploadLimit: { uploads: 1000, windowMs: 60_000 } });
  const { access_token } = await app.register('ada');
  const bytes = await makePicture({ seed });
  const image = await imageOf(await app.upload(access_token, bytes));
  return { app, token: access_token, bytes, image, places: placesOf(app, image) };
}

async function restart(app: TestApp, lines: object[] = []) {
  await app.close();
  const ignore = () => undefined;
  const logger = { debug: ignore, info: ignore, error: ignore, warn: (fields: object) => lines.push(fields) };
  return openApp({ data: app.data, logger, uploadLimit: { uploads: 1000, windowMs: 60_000 } });
}

describe('at the start, what an interrupted server has left', () => {
  test('is swept where nobody was told of it: half-received files, drafts, pictures without a record', async () => {
    const { app, places } = await withPicture();
    const before = await filesOf(app.data);
    const home = dirname(places.picture);
    await writeFile(join(app.data, 'incoming', 'half'), 'half');
    await writeFile(join(home, '7zzzzzzzzzzzzzzzzzzzzzzzzz.png'), 'picture without a record');
    await writeFile(join(home, `.${crypto.randomUUID()}`), 'draft');
    await writeFile(join(home, 'by-digest', `.${crypto.randomUUID()}`), 'draft');
    const lines: object[] = [];
    await restart(app, lines);
    expect(await filesOf(app.data)).toEqual(before);
    expect(lines).toEqual([{ files: 4 }]);
  });

  test('is kept where a digest pointer names it: that picture was acknowledged, and only its record is lost', async () => {
    const { app, token, bytes, image, places } = await withPicture();
    const home = dirname(places.picture);
    // Beside it one that nobody was told of, so that there are as many pointers as records and pictures without one.
    await writeFile(join(home, '7zzzzzzzzzzzzzzzzzzzzzzzzz.png'), 'picture without a record');
    await rm(places.record);
    const lines: object[] = [];
    const again = await restart(app, lines);
    expect(lines).toEqual([{ files: 1 }, { pictures: 1 }]);
    expect(await readFile(places.picture)).toEqual(bytes);
    expect(await readFile(places.pointer, 'utf8')).toBe(image.id);
    await again.close();
    const { findings } = await checkData(app.data, { repair: true });
    expect(findings.map(({ kind, mended }) => [kind, mended])).toEqual([['picture_without_record', true]]);
    const mended = await openApp({ data: app.data });
    expect((await mended.request(new URL(image.url).pathname)).status).toBe(200);
    expect((await mended.upload(token, bytes)).status).toBe(200);
  });

  test('is kept where a pointer cannot be read, since that may be its own', async () => {
    const { app, places } = await withPicture();
    await rm(places.record);
    await rm(places.pointer);
    // What stands for a pointer that the disk no longer reads.
    await mkdir(places.pointer);
    await restart(app);
    expect((await readFile(places.picture)).length).toBeGreaterThan(0);
  });

  test('is completed where all digest pointers are missing with their folder', async () => {
    const { app, image, places } = await withPicture();
    await rm(dirname(places.pointer), { recursive: true });
    const again = await restart(app);
    expect((await again.request(new URL(image.url).pathname)).status).toBe(200);
    expect(await readFile(places.pointer, 'utf8')).toBe(image.id);
  });

  test('is completed where only the digest pointer was missing, so that a retry adds no duplicate', async () => {
    const { app, token, bytes, image, places } = await withPicture();
    await rm(places.pointer);
    const again = await restart(app);
    expect(await readFile(places.pointer, 'utf8')).toBe(image.id);
    const retry = await again.upload(token, bytes);
    expect([retry.status, (await imageOf(retry)).url]).toEqual([200, image.url]);
  });

  test('is no file of anybody else: what a person has put there stays, and stops no start', async () => {
    const { app, image, places } = await withPicture();
    const home = dirname(places.picture);
    const [images, digests] = [dirname(home), dirname(places.pointer)];
    await mkdir(join(app.data, 'expiring', '2026-01-01T00', 'folder'), { recursive: true });
    for (const folder of [join(images, 'My.Photos'), join(home, '.Trash'), join(digests, '.Trash')])
      await mkdir(folder);
    for (const path of [
      join(images, 'My.Photos', 'a.png'),
      join(images, 'My.Photos', `.${crypto.randomUUID()}`),
      ...[home, digests].flatMap((folder) => [join(folder, 'notes.txt'), join(folder, '.DS_Store')]),
      join(app.data, 'expiring', '.DS_Store'),
      join(app.data, 'expiring', '2026-01-01T00', '.DS_Store'),
    ]) {
      await writeFile(path, 'precious');
    }
    await mkdir(join(app.data, 'cache', '.Trash'));
    if (process.platform !== 'win32') await symlink('/nowhere', join(app.data, 'cache', 'link'));
    const before = await readdir(app.data, { recursive: true });
    const lines: object[] = [];
    const again = await restart(app, lines);
    expect(lines).toEqual([]);
    expect((await readdir(app.data, { recursive: true })).toSorted()).toEqual(before.toSorted());
    expect((await again.request(new URL(image.url).pathname)).status).toBe(200);
  });

  test.skipIf(process.platform === 'win32')('is no picture whose record is a symbolic link', async () => {
    const { app, image, places } = await withPicture();
    await rename(places.record, join(app.data, 'elsewhere'));
    await symlink(join(app.data, 'elsewhere'), places.record);
    await rm(places.pointer);
    const again = await restart(app);
    expect((await again.request(new URL(image.url).pathname)).status).toBe(200);
    expect(await readFile(places.pointer, 'utf8')).toBe(image.id);
  });

  test('is kept where the pointers cannot be read, and stops no start', async () => {
    const { app, places } = await withPicture();
    await rm(places.record);
    await rm(dirname(places.pointer), { recursive: true });
    await writeFile(dirname(places.pointer), 'no folder');
    const lines: object[] = [];
    await restart(app, lines);
    expect(lines).toEqual([{ pictures: 1 }]);
    expect((await readFile(places.picture)).length).toBeGreaterThan(0);
  });

  test('is removed where a pointer leads nowhere', async () => {
    const { app, places } = await withPicture();
    const before = await filesOf(app.data);
    await writeFile(join(dirname(places.pointer), 'f'.repeat(64)), '7zzzzzzzzzzzzzzzzzzzzzzzzz');
    await restart(app);
    expect(await filesOf(app.data)).toEqual(before);
  });

  test('is removed for a user whose removal was interrupted', async () => {
    const { app } = await withPicture();
    const eve = await app.register('eve');
    const cache = join(app.data, 'cache');
    const before = await readdir(cache);
    await app.upload(eve.access_token, await makePicture());
    expect((await readdir(cache)).length).toBe(before.length + 1);
    await app.close();
    // As the removal's first step leaves it: the user gone, the pictures still there.
    const path = join(app.data, 'db.json');
    const db = JSON.parse(await readFile(path, 'utf8')) as { users: Record<string, object>; removals: object };
    const { [eve.user.id]: _gone, ...users } = db.users;
    await writeFile(path, JSON.stringify({ ...db, users, removals: { [eve.user.id]: 'remove' } }));
    await openApp({ data: app.data });
    const home = join(app.data, 'images', eve.user.id);
    expect((await filesOf(app.data)).filter((file) => file.startsWith(home))).toEqual([]);
    expect(await readdir(cache)).toEqual(before);
    expect(await readFile(path, 'utf8')).toContain('"removals":{}');
  });
});

test('pictures without accounts stop the start: whoever registered next would be the administrator', async () => {
  const { app } = await withPicture();
  await app.close();
  for (const name of ['db.json', 'db.json.previous']) await rm(join(app.data, name), { force: true });
  const before = await filesOf(app.data);
  await expect(openApp({ data: app.data })).rejects.toThrow('holds pictures but no db.json');
  expect(await filesOf(app.data)).toEqual(before);
});

describe('a picture that is damaged on the disk', () => {
  test('keeps nobody from starting the server, nor the other pictures from being served', async () => {
    const { app, token, image, places } = await withPicture();
    const other = await imageOf(await app.upload(token, await makePicture({ seed: 9 })));
    await rm(places.pointer);
    await writeFile(places.record, '');
    const again = await restart(app);
    expect(await refusal(await again.request(new URL(image.url).pathname))).toBe('503 storage_unavailable');
    expect((await again.request(new URL(other.url).pathname)).status).toBe(200);
    const list = await again.request('/api/images', { headers: bearer(token) });
    expect(await list.json()).toMatchObject({ images: [{ id: other.id }], total: { pictures: 2 } });
  });

  test('whose bytes are lost is no broken answer, and can be uploaded again', async () => {
    const { app, token, bytes, image, places } = await withPicture();
    await rm(places.picture);
    expect(await refusal(await app.request(new URL(image.url).pathname))).toBe('503 storage_unavailable');
    const answer = await app.upload(token, bytes);
    expect(answer.status).toBe(201);
    expect((await app.request(new URL((await imageOf(answer)).url).pathname)).status).toBe(200);
  });
});

describe('a picture whose record is lost', () => {
  test('is served by its old link again when the same bytes are uploaded', async () => {
    const { app, token, bytes, image, places } = await withPicture();
    await rm(places.record);
    const again = await restart(app);
    const answer = await again.upload(token, bytes);
    expect([answer.status, (await imageOf(answer)).url]).toEqual([201, image.url]);
    expect((await again.request(new URL(image.url).pathname)).status).toBe(200);
    const lines: object[] = [];
    await restart(again, lines);
    expect(lines).toEqual([]);
  });
});

describe('a pointer that leads nowhere', () => {
  test('while the server runs does not keep its picture from being uploaded', async () => {
    const { app, token, bytes, places } = await withPicture();
    await rm(places.record);
    await rm(places.picture);
    const answer = await app.upload(token, bytes);
    expect(answer.status).toBe(201);
    const image = await imageOf(answer);
    expect((await app.request(new URL(image.url).pathname)).status).toBe(200);
    expect((await imageOf(await app.upload(token, bytes))).url).toBe(image.url);
  });
});

describe('a disk that is nearly full', () => {
  test('takes no uploads and is not ready, while log-ins and pictures go on', async () => {
    const app = await openApp();
    const { access_token } = await app.register('ada');
    const image = await imageOf(await app.upload(access_token, await makePicture()));
    expect((await app.request('/readyz')).status).toBe(200);
    await app.close();
    const full = await openApp({ data: app.data, minFree: Number.MAX_SAFE_INTEGER });
    expect(await refusal(await full.upload(access_token, await makePicture({ seed: 1 })))).toBe('507 storage_full');
    expect(await refusal(await full.request('/readyz'))).toBe('507 storage_full');
    expect((await full.request('/healthz')).status).toBe(200);
    expect((await full.request(new URL(image.url).pathname)).status).toBe(200);
    await full.register('bob');
  });

  test('is not ready when nothing can be written, and is again when it can', async () => {
    const { app, token } = await withPicture();
    const incoming = join(app.data, 'incoming');
    await rm(incoming, { recursive: true });
    app.clock.now += 2000;
    expect((await app.request('/readyz')).status).toBe(503);
    expect((await app.upload(token, await makePicture({ seed: 1 }))).status).toBe(503);
    await mkdir(incoming);
    app.clock.now += 2000;
    expect((await app.request('/readyz')).status).toBe(200);
    expect((await app.upload(token, await makePicture({ seed: 2 }))).status).toBe(201);
  });
});

test('more uploads at once than the server takes are told to come back, without a slot of the limit', async () => {
  const app = await openApp({ uploadLimit: { uploads: 1000, windowMs: 60_000 } });
  const { access_token } = await app.register('ada');
  const open: ReadableStreamDefaultController[] = [];
  const hang = { pull: (controller: ReadableStreamDefaultController) => void open.push(controller) };
  // It is asked for bytes when its body is read, and not before.
  const hanging = Array.from({ length: 64 }, () =>
    app.upload(access_token, new ReadableStream(hang, { highWaterMark: 0 })),
  );
  await eventually(() => expect(open).toHaveLength(64));
  const refused = await app.upload(access_token, await makePicture());
  expect(refused.headers.get('retry-after')).toBe('5');
  expect(await refusal(refused)).toBe('503 server_busy');
  for (const controller of open) controller.close();
  const statuses = await Promise.all(hanging.map(async (upload) => (await upload).status));
  expect(new Set(statuses)).toEqual(new Set([400]));
  const taken = await app.upload(access_token, await makePicture());
  expect(taken.headers.get('ratelimit')).toBe('"upload";r=935;t=60');
});
