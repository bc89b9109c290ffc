import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { ImageResponse } from '@imgup/shared';
import { backupData, checkData, restoreData } from '@imgup/server';
import { describe, expect, test } from 'vitest';
import { watchSyncs } from './failing-disk.ts';
import { filledFolder, follow, listing, MANY_UPLOADS } from './maintenance.ts';
import { makePicture } from './pictures.ts';
import { bearer, imageOf, openApp, PASSWORD, temporaryFolder } from './test-app.ts';

const targets = [['a folder', 'backup'] as const, ['a tar', 'backup.tar'] as const];

describe.each(targets)('a backup into %s', (_what, name) => {
  test('holds what the data folder does, for its owner only, and says so', async () => {
    const { data } = await filledFolder();
    await writeFile(join(data, 'incoming', 'half'), 'half');
    const target = join(await temporaryFolder(), name);
    const restored = join(await temporaryFolder(), 'data');
    const summary = await backupData(data, target);
    expect(summary).toMatchObject({ pictures: 4, users: 2, secret: true });
    expect(await restoreData(target, restored)).toEqual(summary);
    const kept = (await listing(data)).filter((path) => !/^(incoming|cache|db\.json\.previous)/.test(path));
    expect(await listing(restored)).toEqual(kept);
    for (const path of ['db.json', 'secret']) {
      expect(await readFile(join(restored, path))).toEqual(await readFile(join(data, path)));
    }
    const written = await listing(join(target, '..'));
    expect(written.filter((path) => !/ (600|700)$/.test(path))).toEqual([]);
    if (name.endsWith('.tar')) expect(written).toEqual(['backup.tar 600']);
  });

  test('is fsynced, every file and folder of it', async () => {
    const { data } = await filledFolder();
    const target = join(await temporaryFolder(), name);
    const disk = await watchSyncs();
    await backupData(data, target);
    const inside = name.endsWith('.tar') ? [] : await readdir(target, { recursive: true });
    for (const path of [target, ...inside.map((each) => join(target, each))]) {
      expect(disk.inodes, path).toContain((await stat(path)).ino);
    }
  });

  test(
    'of a server at work holds every upload that was answered before, and is whole each time',
    { timeout: 60_000 },
    async () => {
      const app = await openApp(MANY_UPLOADS);
      const people = [];
      for (const username of ['ada', 'bob', 'eve']) people.push(await app.register(username));
      const [admin] = people;
      const folder = await temporaryFolder();
      const standing = new Map<string, Buffer>();
      let going = true;
      let seed = 0;
      let deleted = 0;
      const work = async (token: string) => {
        const mine: ImageResponse[] = [];
        while (going) {
          seed += 1;
          const picture = await makePicture({ seed, width: 64, height: 64 });
          const image = await imageOf(await app.upload(token, picture));
          standing.set(image.url, picture);
          mine.push(image);
          const oldest = mine.length > 6 ? mine.shift() : undefined;
          if (oldest === undefined) continue;
          standing.delete(oldest.url);
          await app.request(`/api/images/${oldest.id}`, { method: 'DELETE', headers: bearer(token) });
          deleted += 1;
        }
      };
      const removing = async () => {
        for (let round = 0; going; round += 1) {
          const { access_token, user } = await app.register(`guest-${round}`);
          for (let guest = 0; guest < 5; guest += 1) {
            await imageOf(await app.upload(access_token, await makePicture({ seed: guest })));
          }
          const path = `/api/users/${user.username}`;
          await app.request(path, { method: 'DELETE', headers: bearer(admin?.access_token ?? '') });
        }
      };
      const working = [...people.map(({ access_token }) => work(access_token)), removing()];
      for (let round = 0; round < 3 || deleted < 20; round += 1) {
        const before = [...standing.keys()];
        const target = join(folder, `${round}-${name}`);
        const data = join(folder, `${round}-data`);
        await backupData(app.data, target);
        const after = new Map(standing);
        await restoreData(target, data);
        expect((await checkData(data, { lookAgainAfter: 0 })).findings).toEqual([]);
        const restored = await openApp({ data });
        // Those still there now have been there all along.
        for (const url of before.filter((each) => after.has(each))) {
          expect(await follow(restored, url)).toEqual({ status: 200, bytes: after.get(url) });
        }
        await restored.close();
        await rm(data, { recursive: true });
      }
      going = false;
      await Promise.all(working);
    },
  );

  test('that fails leaves nothing, and names what is wrong', async () => {
    const { data, home, first } = await filledFolder();
    const bytes = await readFile(join(home, `${first.id}.png`));
    bytes[40] = (bytes[40] ?? 0) ^ 1;
    await writeFile(join(home, `${first.id}.png`), bytes);
    const folder = await temporaryFolder();
    await expect(backupData(data, join(folder, name))).rejects.toMatchObject({
      code: 'data_damaged',
      message: expect.stringContaining(`${first.id}.png`) as string,
    });
    await writeFile(join(home, `${first.id}.png`), bytes.subarray(1));
    await expect(backupData(data, join(folder, name))).rejects.toMatchObject({ code: 'data_damaged' });
    await rm(join(home, `${first.id}.png`));
    await expect(backupData(data, join(folder, name))).rejects.toMatchObject({ code: 'data_damaged' });
    await writeFile(join(home, `${first.id}.json`), '{}');
    await expect(backupData(data, join(folder, name))).rejects.toMatchObject({ code: 'data_damaged' });
    await writeFile(join(data, 'db.json'), '');
    await expect(backupData(data, join(folder, name))).rejects.toMatchObject({ code: 'data_damaged' });
    await rm(join(data, 'db.json'));
    await expect(backupData(data, join(folder, name))).rejects.toMatchObject({ code: 'no_data' });
    expect(await readdir(folder)).toEqual([]);
  });

  test('that the disk has damaged on its way gets no name', async () => {
    const { data } = await filledFolder();
    await writeFile(join(data, 'db.json'), (await readFile(join(data, 'db.json'), 'utf8')).padEnd(400_000));
    const folder = await temporaryFolder();
    const target = join(folder, name);
    const written = name.endsWith('.tar') ? `${target}.partial` : join(`${target}.partial`, 'db.json');
    let going = true;
    const backup = backupData(data, target).finally(() => (going = false));
    const damaging = (async () => {
      while (going && (await stat(written).catch(() => null))?.size !== 400_000) {
        if (((await stat(written).catch(() => null))?.size ?? 0) > 401_000) break;
        await setImmediate();
      }
      const file = await open(written, 'r+');
      // One of the spaces after the accounts, where nothing but a digest tells.
      await file.write('\t', 399_000);
      await file.close();
    })();
    await expect(backup).rejects.toMatchObject({ code: 'backup_invalid' });
    await damaging;
    expect(await readdir(folder)).toEqual([]);
  });

  test('that is interrupted leaves nothing', async () => {
    const { data } = await filledFolder();
    const folder = await temporaryFolder();
    const reason = new Error('enough');
    await expect(backupData(data, join(folder, name), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(await readdir(folder)).toEqual([]);
  });

  test('never replaces anything, and never lies in what it backs up', async () => {
    const { data } = await filledFolder();
    const folder = await temporaryFolder();
    const target = join(folder, name);
    await backupData(data, target);
    const before = await listing(folder);
    await expect(backupData(data, target)).rejects.toMatchObject({ code: 'target_exists' });
    await mkdir(join(folder, `other-${name}.partial`));
    await expect(backupData(data, join(folder, `other-${name}`))).rejects.toMatchObject({ code: 'target_exists' });
    await rm(join(folder, `other-${name}.partial`), { recursive: true });
    await symlink(data, join(folder, 'link'));
    for (const inside of [join(data, name), join(data, 'images', name), join(folder, 'link', name)]) {
      await expect(backupData(data, inside)).rejects.toMatchObject({ code: 'target_unusable' });
    }
    await expect(backupData(data, join(folder, 'none', name))).rejects.toMatchObject({ code: 'target_unusable' });
    await expect(backupData(data, join(folder, 'backup.tar.gz'))).rejects.toMatchObject({ code: 'target_unusable' });
    await rm(join(folder, 'link'));
    expect(await listing(folder)).toEqual(before);
  });

  test('holds no large picture in memory', async () => {
    const { data, home, first } = await filledFolder();
    const bytes = 300_000_000;
    const picture = join(home, `${first.id}.png`);
    await truncate(picture, bytes);
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(picture) as AsyncIterable<Buffer>) hash.update(chunk);
    const record = join(home, `${first.id}.json`);
    const known = JSON.parse(await readFile(record, 'utf8')) as object;
    await writeFile(record, JSON.stringify({ ...known, bytes, sha256: hash.digest('hex') }));

    const target = join(await temporaryFolder(), name);
    const before = process.memoryUsage().rss;
    let most = before;
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 5);
    await backupData(data, target);
    clearInterval(watch);
    expect(most - before).toBeLessThan(100_000_000);
  });
});

test('a secret that is kept elsewhere is not in the backup, which says so', async () => {
  const secret = Buffer.alloc(32, 7);
  const app = await openApp({ secrets: [secret] });
  const { refresh_token } = await app.register('ada');
  const folder = await temporaryFolder();
  expect(await backupData(app.data, join(folder, 'backup'))).toMatchObject({ secret: false });
  expect(await restoreData(join(folder, 'backup'), join(folder, 'data'))).toMatchObject({ secret: false });
  const restored = await openApp({ data: join(folder, 'data'), secrets: [secret] });
  expect((await restored.post('/api/token/refresh', { refresh_token })).status).toBe(200);
  await restored.close();
  const without = await openApp({ data: join(folder, 'data') });
  expect((await without.post('/api/login', { username: 'ada', password: PASSWORD })).status).toBe(200);
});
