import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { migrateFrom, migrateTo, type MigrateOptions } from '@imgup/server';
import { describe, expect, test } from 'vitest';
import { parseSecrets } from '../src/adapters/filesystem/secret-file.ts';
import { keys } from '../src/adapters/s3/picture-keys.ts';
import { makePicture } from './pictures.ts';
import { administer, noPostgres, usePostgres } from './postgres.ts';
import { hasS3, keysAt, objectsAt, useEngine } from './s3-store.ts';
import { bearer, filesOf, imageOf, openApp, PASSWORD, refusal, temporaryFolder, type TestApp } from './test-app.ts';

const DAY = 24 * 60 * 60 * 1000;
/** A user whose pictures were to be removed when the server was stopped. */
const LEAVING = 'leaving';

const { newDatabase } = usePostgres();
const { engine, location } = useEngine();

async function newEngines() {
  return { accounts: await newDatabase(), images: location() };
}

/** A stopped embedded server with something of everything in its folder. */
async function fillFolder() {
  const app = await openApp({ loginLimit: { attempts: 1000, windowMs: 60_000 } });
  const ada = await app.register('Ada');
  const bob = await app.register('bob');
  const carl = await app.register('carl');
  const [lasting, passing, kept] = [1, 2, 3].map((seed) => makePicture({ seed }));
  const upload = async (token: string, picture: Promise<Buffer> | undefined, headers = {}) =>
    imageOf(await app.upload(token, (await picture) ?? '', { 'Content-Type': 'image/png', ...headers }));
  const lastingImage = await upload(ada.access_token, lasting);
  const passingImage = await upload(bob.access_token, passing, { 'X-Imgup-Expires': '1d' });
  const keptImage = await upload(carl.access_token, kept);
  await app.request('/api/users/carl?keep_images=true', { method: 'DELETE', headers: bearer(ada.access_token) });

  const login = async () =>
    (await (await app.post('/api/login', { username: 'ada', password: PASSWORD })).json()) as typeof ada;
  const revoked = await login();
  await app.post('/api/logout/access', {}, revoked.access_token);
  const rotated = (await (
    await app.post('/api/token/refresh', { refresh_token: bob.refresh_token })
  ).json()) as typeof bob;
  const { key } = (await (await app.post('/api/keys', { name: 'a tool\u0000' }, ada.access_token)).json()) as {
    key: string;
  };
  await app.close();

  const path = join(app.data, 'db.json');
  const database = JSON.parse(await readFile(path, 'utf8')) as { removals: Record<string, string> };
  database.removals[LEAVING] = 'remove';
  await writeFile(path, JSON.stringify(database));
  await cp(join(app.data, 'images', ownerOf(keptImage)), join(app.data, 'images', LEAVING), { recursive: true });
  const secrets = parseSecrets((await readFile(join(app.data, 'secret'), 'utf8')).trim(), 'IMGUP_SECRET');
  return {
    data: app.data,
    secrets,
    made: { ada, revoked, rotated, key, lasting, lastingImage, passingImage, keptImage },
  };
}

const ownerOf = ({ url }: { url: string }) => new URL(url).pathname.split('/')[2] ?? '';

type Made = Awaited<ReturnType<typeof fillFolder>>['made'];

/** Whether everything that was given out works on this server as it did on the one that gave it out. */
async function expectAllWorks(app: TestApp, { ada, revoked, rotated, key, lasting, ...images }: Made) {
  const show = (image: { url: string }) => app.request(new URL(image.url).pathname);
  const me = (token: string) => app.request('/api/me', { headers: bearer(token) });
  for (const image of [images.lastingImage, images.passingImage, images.keptImage]) {
    const shown = await show(image);
    expect([shown.status, Buffer.from(await shown.arrayBuffer()).length]).toEqual([200, image.bytes]);
  }
  expect((await me(ada.access_token)).status).toBe(200);
  expect(await refusal(await me(revoked.access_token))).toBe('401 token_revoked');
  expect((await app.post('/api/login', { username: 'ADA', password: PASSWORD })).status).toBe(200);
  expect((await app.post('/api/login', { username: 'carl', password: PASSWORD })).status).toBe(401);

  const again = await app.upload(key, (await lasting) ?? '', { 'Content-Type': 'image/png' });
  expect([again.status, (await imageOf(again)).id]).toEqual([200, images.lastingImage.id]);
  const list = (await (await app.request('/api/images', { headers: bearer(ada.access_token) })).json()) as {
    images: { id: string }[];
  };
  expect(list.images.map(({ id }) => id)).toEqual([images.lastingImage.id]);

  const successor = await app.post('/api/token/refresh', { refresh_token: rotated.refresh_token });
  expect(successor.status).toBe(200);
  // The next to register is not the first.
  expect((await app.register('dora')).user.role).toBe('user');
  expect((await app.request('/api/users/dora', { method: 'DELETE', headers: bearer(ada.access_token) })).status).toBe(
    204,
  );
}

describe.skipIf(noPostgres !== null || !hasS3)('a data folder and the engines', { timeout: 60_000 }, () => {
  test('there and back: links, sessions, tokens, keys, revocations, removals and expiries go on', async () => {
    const { data, secrets, made } = await fillFolder();
    const engines = await newEngines();
    const before = await filesOf(data);
    const result = await migrateFrom(data, engines);
    expect(result).toMatchObject({ users: 2, keys: 1, pictures: 3, present: 0, flaws: [] });
    expect(await filesOf(data)).toEqual(before);
    expect(await keysAt(engines.images)).not.toContainEqual(expect.stringContaining(LEAVING));
    expect(await administer(engines.accounts, 'SELECT user_id, pictures FROM removals ORDER BY pictures')).toEqual([
      { user_id: ownerOf(made.keptImage), pictures: 'keep' },
      { user_id: LEAVING, pictures: 'remove' },
    ]);

    const many = await openApp({ ...engines, secrets });
    await expectAllWorks(many, made);
    await many.close();
    // Its removal was all that was left to do.
    const left = await administer(engines.accounts, `SELECT FROM removals WHERE user_id = '${LEAVING}'`);
    expect(left).toEqual([]);

    const back = join(await temporaryFolder(), 'new');
    const returned = await migrateTo(back, engines, { file: join(back, 'secret'), secrets });
    expect(returned).toMatchObject({ users: 2, keys: 1, pictures: 3, present: 0, flaws: [] });
    const single = await openApp({ data: back });
    await expectAllWorks(single, made);
    single.clock.now += 2 * DAY;
    expect((await single.request(new URL(made.passingImage.url).pathname)).status).toBe(404);
    await single.close();
    const swept = await openApp({ data: back, now: () => single.clock.now });
    expect((await filesOf(back)).filter((path) => path.includes(made.passingImage.id))).toEqual([]);
    await swept.close();
  });

  test('no server starts on what has moved, unless its note is removed; a moved half may be used with the other', async () => {
    const { data, secrets } = await fillFolder();
    const { accounts, images } = await newEngines();
    await migrateFrom(data, { accounts: null, images });
    await expect(openApp({ data })).rejects.toMatchObject({ code: 'data_moved' });
    const half = await openApp({ data, images });
    expect((await half.post('/api/login', { username: 'ada', password: PASSWORD })).status).toBe(200);
    await half.close();
    await migrateFrom(data, { accounts, images: null });
    await expect(openApp({ data, images })).rejects.toMatchObject({ code: 'data_moved' });
    await (await openApp({ data, images, accounts, secrets })).close();
    await rm(join(data, 'migration.json'));
    await (await openApp({ data })).close();
  });

  test('what was interrupted goes on, and adds nothing twice', async () => {
    const { data, made } = await fillFolder();
    const { ada } = made;
    const app = await openApp({ data, uploadLimit: { uploads: 1000, windowMs: 60_000 } });
    for (let seed = 100; seed < 140; seed += 1) await app.upload(ada.access_token, await makePicture({ seed }));
    await app.close();
    const engines = await newEngines();
    const interrupted = async (run: (options: MigrateOptions) => Promise<unknown>, at: number) => {
      const stop = new AbortController();
      const onProgress = ({ done }: { done: number }) => {
        if (done === at) stop.abort(new Error('interrupted'));
      };
      await expect(run({ ...engines, onProgress, signal: stop.signal })).rejects.toThrow('interrupted');
    };
    await interrupted((options) => migrateFrom(data, options), 20);
    expect(await administer(engines.accounts, 'SELECT FROM users')).toEqual([]);
    const first = await migrateFrom(data, engines);
    expect(first).toMatchObject({ pictures: 43, users: 2 });
    expect(first.present).toBeGreaterThanOrEqual(20);
    const all = await keysAt(engines.images);
    expect(await migrateFrom(data, engines)).toMatchObject({ pictures: 43, present: 43, users: 2 });
    expect(await keysAt(engines.images)).toEqual(all);

    const back = await temporaryFolder();
    await interrupted((options) => migrateTo(back, options, null), 20);
    await expect(openApp({ data: back })).rejects.toMatchObject({ code: 'data_moved' });
    const second = await migrateTo(back, engines, null);
    expect(second).toMatchObject({ pictures: 43, users: 2 });
    expect(second.present).toBeGreaterThanOrEqual(20);
    const relative = async (folder: string) =>
      (await filesOf(folder)).map((path) => path.slice(folder.length)).filter((path) => !path.includes(LEAVING));
    expect(await relative(back)).toEqual(await relative(data));
  });

  test.each([1, 3])('cut off from the store when %i of 3 pictures are there, it says so and goes on', async (at) => {
    const { data } = await fillFolder();
    const engines = await newEngines();
    let killed: Promise<unknown> | undefined;
    const onProgress = ({ step, done }: { step: string; done: number }) => {
      if (step === 'copying' && done === at) killed = engine().kill();
    };
    await expect(migrateFrom(data, { ...engines, onProgress })).rejects.toMatchObject({
      code: 'engine_unavailable',
      message: expect.stringContaining('run this again') as string,
    });
    await killed;
    await engine().restart();
    expect(await administer(engines.accounts, 'SELECT FROM users')).toEqual([]);
    expect(await migrateFrom(data, engines)).toMatchObject({ pictures: 3, users: 2, flaws: [] });
  });

  test('a picture that is not what its record says is named, and nothing is finished', async () => {
    const { data, made } = await fillFolder();
    const engines = await newEngines();
    const { lastingImage: image } = made;
    const owner = ownerOf(image);
    const picture = join(data, 'images', owner, `${image.id}.png`);
    const good = await readFile(picture);
    const bad = Buffer.from(good);
    bad[good.length - 20] = (bad[good.length - 20] ?? 0) ^ 1;
    await writeFile(picture, bad);
    await mkdir(join(data, 'images', 'nobody'));
    const found = await migrateFrom(data, engines);
    expect(found.flaws).toEqual([
      { kind: 'leftover', path: 'images/nobody' },
      { kind: 'picture_damaged', path: `images/${owner}/${image.id}.png` },
    ]);
    expect(await administer(engines.accounts, 'SELECT FROM users')).toEqual([]);
    expect(await keysAt(engines.images)).not.toContainEqual(expect.stringContaining(image.id));
    await writeFile(picture, good);
    await rm(join(data, 'images', 'nobody'), { recursive: true });
    expect(await migrateFrom(data, engines)).toMatchObject({ flaws: [], pictures: 3, present: 2 });

    const objects = objectsAt(engines.images);
    await objects.write(`images/${owner}/${image.id}.png`, 'something else');
    // Copied by an earlier run, and found when it is read back.
    await expect(migrateFrom(data, engines)).rejects.toMatchObject({ code: 'target_damaged' });
    await objects.remove([keys.record(owner, made.lastingImage.id)]);
    await objects.write(keys.record(owner, image.id), 'no record');
    const back = await temporaryFolder();
    const damagedThere = await migrateTo(back, engines, null);
    expect(damagedThere.flaws).toEqual([{ kind: 'record_damaged', path: `images/${owner}/${image.id}.json` }]);
    await expect(openApp({ data: back })).rejects.toMatchObject({ code: 'data_moved' });
  });

  test('refuses a target with other data, a running source, a running target, and an empty or newer source', async () => {
    const [one, other] = [await fillFolder(), await fillFolder()];
    const engines = await newEngines();
    await migrateFrom(one.data, engines);
    const refused = (run: Promise<unknown>) =>
      run.then(
        () => 'done',
        ({ code, message }: { code: string; message: string }) => `${code}: ${message}`,
      );
    const onlyImages = { accounts: null, images: engines.images };
    expect(await refused(migrateFrom(other.data, engines))).toMatch(/^target_not_empty: /);
    expect(await refused(migrateFrom(other.data, onlyImages))).toMatch(/^target_not_empty: /);
    expect(await refused(migrateTo(other.data, engines, null))).toMatch(/^data_not_empty: /);

    const app = await openApp({ data: other.data });
    expect(await refused(migrateFrom(other.data, await newEngines()))).toMatch(/^data_in_use: /);
    await app.close();
    const server = await openApp({ ...engines, secrets: one.secrets });
    await server.post('/api/login', { username: 'ada', password: PASSWORD });
    const nowhere = join(await temporaryFolder(), 'nowhere');
    expect(await refused(migrateFrom(one.data, engines))).toMatch(/^servers_running: /);
    expect(await refused(migrateTo(nowhere, engines, null))).toMatch(/^servers_running: /);
    await server.close();
    // What the server has taken in must not be overwritten with what is older.
    expect(await refused(migrateFrom(one.data, engines))).toMatch(/^target_not_empty: /);

    const empty = await newEngines();
    expect(await refused(migrateTo(nowhere, empty, null))).toMatch(/^no_data: /);
    expect(await refused(migrateFrom(nowhere, empty))).toMatch(/^no_data: /);
    expect(await readdir(join(nowhere, '..'))).toEqual([]);
    await writeFile(join(other.data, 'db.json'), '{"format":99}');
    expect(await refused(migrateFrom(other.data, empty))).toMatch(/^data_newer: /);
    expect(await administer(empty.accounts, 'SELECT FROM users')).toEqual([]);
  });
});
