import { open, readdir, readFile, rm, stat, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LoginResponse } from '@imgup/shared';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { openFilesystemImageStore } from '../src/adapters/filesystem/image-store.ts';
import { receive } from './contracts/image-store.ts';
import { watchSyncs } from './failing-disk.ts';
import { recordOf } from './filesystem-store.ts';
import { makePicture } from './pictures.ts';
import { bearer, filesOf, imageOf, openApp, PASSWORD, refusal, temporaryFolder, type TestApp } from './test-app.ts';
import { eventually } from './eventually.ts';

/** Makes a call on every open file fail as the system would have it, until it is told to stop. */
async function breakDisk(method: 'sync' | 'write' | 'writev' | 'writeFile', code: string) {
  const file = await open(join(await temporaryFolder(), 'any'), 'w');
  const prototype = Object.getPrototypeOf(file) as FileHandle;
  await file.close();
  const failure = Object.assign(new Error(`${code}: the disk is broken`), { code, syscall: method });
  const spy = vi.spyOn(prototype, method).mockRejectedValue(failure);
  onTestFinished(() => spy.mockRestore());
  return spy;
}

const UNLIMITED = { uploads: 1000, windowMs: 60_000 };

async function withPicture() {
  const app = await openApp({ uploadLimit: UNLIMITED, minFree: 0 });
  const login = await app.register('ada');
  const image = await imageOf(await app.upload(login.access_token, await makePicture()));
  return { app, login, link: new URL(image.url).pathname };
}

/** Every request that has to store something. */
async function storing(app: TestApp, { access_token, refresh_token }: LoginResponse): Promise<string[]> {
  const answers = [
    await app.upload(access_token, await makePicture({ seed: 1 })),
    await app.post('/api/register', { username: 'bob', password: PASSWORD }),
    await app.post('/api/login', { username: 'ada', password: PASSWORD }),
    await app.post('/api/token/refresh', { refresh_token }),
    await app.post('/api/logout/access', {}, access_token),
    await app.post('/api/logout/refresh', { refresh_token }),
  ];
  return Promise.all(answers.map(refusal));
}

test('a removal that the disk breaks off has removed the small versions first: nothing would find them later', async () => {
  const { app, login, link } = await withPicture();
  const cache = join(app.data, 'cache');
  expect(await readdir(cache)).toHaveLength(1);
  const disk = await breakDisk('sync', 'EIO');
  const id = /(\w+)\.png$/.exec(link)?.[1];
  const remove = () => app.request(`/api/images/${id}`, { method: 'DELETE', headers: bearer(login.access_token) });
  expect(await refusal(await remove())).toBe('503 storage_unavailable');
  expect(await readdir(cache)).toEqual([]);
  disk.mockRestore();
  // And is finished when it is asked for again.
  expect((await remove()).status).toBe(204);
  expect(await refusal(await remove())).toBe('404 not_found');
  expect(await filesOf(app.data)).toEqual([]);
});

describe.each([
  ['sync', 'EIO', '503 storage_unavailable'],
  ['writeFile', 'EROFS', '503 storage_unavailable'],
  ['writeFile', 'ENOSPC', '507 storage_full'],
] as const)('a disk whose %s fails with %s', (method, code, expected) => {
  test('lets nothing be acknowledged that is not stored, while what needs no storing goes on', async () => {
    const { app, login, link } = await withPicture();
    const before = await filesOf(app.data);
    const disk = await breakDisk(method, code);
    expect(new Set(await storing(app, login))).toEqual(new Set([expected]));
    expect(await refusal(await app.request('/readyz'))).toBe(expected);
    expect((await app.request('/api/me', { headers: bearer(login.access_token) })).status).toBe(200);
    expect((await app.request(link)).status).toBe(200);
    disk.mockRestore();
    expect(await filesOf(app.data)).toEqual(before);
  });

  test('is used again when it is well, and holds nothing of what was refused', async () => {
    const { app, login, link } = await withPicture();
    const disk = await breakDisk(method, code);
    await storing(app, login);
    disk.mockRestore();
    app.clock.now += 2000;
    expect((await app.request('/readyz')).status).toBe(200);
    expect((await app.upload(login.access_token, await makePicture({ seed: 2 }))).status).toBe(201);
    await app.register('cyd');
    await app.close();
    const again = await openApp({ data: app.data, now: () => app.clock.now });
    const headers = bearer(login.access_token);
    const { users } = (await (await again.request('/api/users', { headers })).json()) as { users: object[] };
    expect(users).toMatchObject([{ username: 'ada' }, { username: 'cyd' }]);
    expect((await again.post('/api/token/refresh', { refresh_token: login.refresh_token })).status).toBe(200);
    expect((await again.request(link)).status).toBe(200);
  });
});

test('a disk that fills up during an upload leaves nothing of it', async () => {
  const { app, login } = await withPicture();
  const before = await filesOf(app.data);
  await breakDisk('writev', 'ENOSPC');
  expect(await refusal(await app.upload(login.access_token, await makePicture({ seed: 1 })))).toBe('507 storage_full');
  expect(await filesOf(app.data)).toEqual(before);
});

test('a picture whose record was lost outlives an upload of the same bytes that fails', async () => {
  const { app, login } = await withPicture();
  for (const file of await filesOf(app.data)) if (file.endsWith('.json')) await rm(file);
  const before = await filesOf(app.data);
  expect(before).toHaveLength(2);
  // The record is what cannot be written: the picture has been received and stored by then.
  await breakDisk('writeFile', 'ENOSPC');
  expect(await refusal(await app.upload(login.access_token, await makePicture()))).toBe('507 storage_full');
  expect(await filesOf(app.data)).toEqual(before);
});

test('the pointer of an expired picture outlives an upload of the same bytes that fails', async () => {
  const app = await openApp({ uploadLimit: UNLIMITED, minFree: 0, accessTtl: 900 });
  const { access_token } = await app.register('ada');
  const headers = { ...bearer(access_token), 'Content-Type': 'image/png', 'X-Imgup-Expires': '10m' };
  const upload = async () => app.request('/api/images', { method: 'POST', headers, body: await makePicture() });
  expect((await upload()).status).toBe(201);
  const before = await filesOf(app.data);
  app.clock.now += 601_000;
  const disk = await breakDisk('writeFile', 'ENOSPC');
  expect(await refusal(await upload())).toBe('507 storage_full');
  disk.mockRestore();
  expect(await filesOf(app.data)).toEqual(before);
});

test('the folder of a first picture is fsynced again after an fsync that failed, though it is there', async () => {
  const data = await temporaryFolder();
  const store = await openFilesystemImageStore(data);
  const put = async () => {
    const file = await receive(data, 'picture');
    return store.put(RECORD, file, 0, { quota: null });
  };
  const disk = await breakDisk('sync', 'EIO');
  await expect(put()).rejects.toThrow('EIO');
  const { ino } = await stat(join(data, 'images'));
  const synced: number[] = [];
  disk.mockImplementation(async function (this: FileHandle) {
    synced.push((await this.stat()).ino);
  });
  await put();
  expect(synced).toContain(ino);
});

test('a data folder that is made lasts, and so do the folders made above it', async () => {
  const folder = await temporaryFolder();
  const disk = await breakDisk('sync', 'EIO');
  const synced = new Set<number>();
  disk.mockImplementation(async function (this: FileHandle) {
    synced.add((await this.stat()).ino);
  });
  const app = await openApp({ data: join(folder, 'above', 'data') });
  await app.close();
  for (const path of [folder, join(folder, 'above')]) expect(synced).toContain((await stat(path)).ino);
  // A start that was killed before the fsync is made good by the next.
  synced.clear();
  await openApp({ data: app.data });
  expect(synced).toContain((await stat(join(folder, 'above'))).ino);
});

test('a full disk keeps no server from starting, though there is something to sweep and nothing can be stored', async () => {
  const { app, link } = await withPicture();
  await app.close();
  const path = join(app.data, 'db.json');
  const db = JSON.parse(await readFile(path, 'utf8')) as object;
  await writeFile(path, JSON.stringify({ ...db, revoked: { token: 1 }, removals: { '0123456789abcdef': 'remove' } }));
  await rm(join(app.data, 'server.lock'));
  const disks = [await breakDisk('write', 'ENOSPC'), await breakDisk('writeFile', 'ENOSPC')];
  const failures: string[] = [];
  const ignore = () => undefined;
  const error = ({ err }: { err?: unknown }) => failures.push(String(err));
  const again = await openApp({ data: app.data, logger: { debug: ignore, info: ignore, warn: ignore, error } });
  expect(failures.filter((failure) => failure.includes('ENOSPC'))).toHaveLength(2);
  expect((await again.request(link)).status).toBe(200);
  for (const disk of disks) disk.mockRestore();
  await again.register('bob');
});

describe('what a failing disk has kept of a removal that it refused', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
  });

  test('of a user is found by nobody, and is removed a second after the disk is well', async () => {
    const { app, login } = await withPicture();
    const bob = await app.register('bob');
    const image = await imageOf(await app.upload(bob.access_token, await makePicture()));
    const link = new URL(image.url).pathname;
    const before = await filesOf(app.data);
    const disk = await watchSyncs();
    disk.failRemovals(join(app.data, 'images'));
    const headers = bearer(login.access_token);
    expect(await refusal(await app.request('/api/users/bob', { method: 'DELETE', headers }))).toBe(
      '503 storage_unavailable',
    );
    expect(await filesOf(app.data)).toEqual(before);
    expect((await app.request(link)).status).toBe(404);
    expect((await app.request('/readyz')).status).toBe(503);
    disk.mend();
    vi.advanceTimersByTime(1000);
    await eventually(async () => expect(await filesOf(app.data)).toHaveLength(before.length - 3));
    app.clock.now += 2000;
    expect((await app.request('/readyz')).status).toBe(200);
  });

  test('of a picture is off the disk when the server is ready again, and so not back after a kill', async () => {
    const { app, login, link } = await withPicture();
    const disk = await watchSyncs();
    disk.failRemovals(join(app.data, 'images'));
    const id = /(\w+)\.png$/.exec(link)?.[1];
    const headers = bearer(login.access_token);
    await app.request(`/api/images/${id}`, { method: 'DELETE', headers });
    expect((await app.request(link)).status).toBe(404);
    expect(await filesOf(app.data)).toHaveLength(3);
    disk.mend();
    app.clock.now += 2000;
    expect((await app.request('/readyz')).status).toBe(200);
    expect(await filesOf(app.data)).toEqual([]);
  });
});

test('a data folder is not given up while an upload is being stored, though nobody waits for it any more', async () => {
  const { app, login } = await withPicture();
  const before = await filesOf(app.data);
  const pictures = async () => (await filesOf(app.data)).filter((file) => file.endsWith('.png'));
  let goOn = () => undefined as void;
  const gate = new Promise<void>((resolve) => (goOn = resolve));
  const disk = await breakDisk('sync', 'EIO');
  disk.mockImplementation(async () => {
    if ((await pictures()).length < 2) return;
    disk.mockRestore();
    await gate;
  });
  const upload = app.upload(login.access_token, await makePicture({ seed: 1 }));
  await eventually(async () => expect(await pictures()).toHaveLength(2));
  const closed = app.close();
  expect(await refusal(await app.request('/healthz'))).toBe('503 server_busy');
  // Long enough for the decoders to end.
  await sleep(500);
  await expect(openApp({ data: app.data })).rejects.toMatchObject({ code: 'data_in_use' });
  goOn();
  await closed;
  expect((await upload).status).toBe(201);
  const again = await openApp({ data: app.data });
  expect(await filesOf(again.data)).toHaveLength(before.length + 3);
});

const RECORD = recordOf('7abc', 'a');
