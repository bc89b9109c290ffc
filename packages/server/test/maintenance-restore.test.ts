import { cpSync, createWriteStream, existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { arrayBuffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import { backupData, checkData, restoreData } from '@imgup/server';
import { pack, type Header } from 'tar-stream';
import { afterAll, describe, expect, test } from 'vitest';
import { readBackupFolder } from '../src/maintenance/backup-folder.ts';
import { createInventory } from '../src/maintenance/inventory.ts';
import { filledFolder, follow, listing } from './maintenance.ts';
import { makePicture } from './pictures.ts';
import { bearer, openApp, PASSWORD, temporaryFolder, type TestApp } from './test-app.ts';

let made: ReturnType<typeof makeBackups> | undefined;

/** Once for all tests, since it takes a while. */
async function makeBackups() {
  const shared = await mkdtemp(join(tmpdir(), 'imgup-test-'));
  const { data, home: _home, ...known } = await filledFolder();
  await backupData(data, join(shared, 'backup'));
  await backupData(data, join(shared, 'backup.tar'));
  return { shared, known };
}
afterAll(async () => {
  if (made !== undefined) await rm((await made).shared, { recursive: true });
});

/** A backup of a filled data folder as a folder and as a tar, and a place to restore to that is empty. */
async function backups() {
  made ??= makeBackups();
  const { shared, known } = await made;
  const place = await temporaryFolder();
  await cp(shared, place, { recursive: true });
  const [folder, tar, target] = [join(place, 'backup'), join(place, 'backup.tar'), join(place, 'data')];
  return { ...known, place, folder, tar, target };
}

/** Makes the list of digests agree with what is there. */
async function listAnew(folder: string): Promise<void> {
  const inventory = createInventory();
  for await (const file of readBackupFolder(folder)) {
    if (file.path !== 'backup.json') await arrayBuffer(inventory.pass(file));
  }
  const manifest = JSON.parse(await readFile(join(folder, 'backup.json'), 'utf8')) as object;
  await writeFile(join(folder, 'backup.json'), JSON.stringify({ ...manifest, ...inventory.close() }));
}

type Entry = Partial<Header> & { name: string; text?: string };

/** A tar of a backup's files, and some more before its end. */
async function tarOf(folder: string, more: Entry[]): Promise<string> {
  const tar = pack();
  const path = `${folder}-made.tar`;
  const written = pipeline(tar, createWriteStream(path));
  for await (const { path: name, content } of readBackupFolder(folder)) {
    const chunks = [];
    for await (const chunk of content) chunks.push(chunk);
    if (name === 'backup.json') for (const { text = '', ...header } of more) tar.entry(header, text);
    tar.entry({ name }, Buffer.concat(chunks));
  }
  tar.finalize();
  await written;
  return path;
}

describe.each(['folder', 'tar'] as const)('from a %s', (kind) => {
  test('a server starts with its accounts, sessions and pictures', async () => {
    const made = await backups();
    const { target, ada, bob, first, his } = made;
    expect(await restoreData(made[kind], target)).toMatchObject({ pictures: 4, users: 2, secret: true });
    expect((await stat(target)).mode & 0o777).toBe(0o700);
    expect(await checkData(target, { lookAgainAfter: 0 })).toMatchObject({ pictures: 4, findings: [] });

    const app = await openApp({ data: target });
    expect(await follow(app, first.url)).toEqual({ status: 200, bytes: await makePicture({ seed: 1 }) });
    expect((await follow(app, his.url)).status).toBe(200);
    expect((await app.post('/api/login', { username: 'ADA', password: PASSWORD })).status).toBe(200);
    expect((await app.request('/api/me', { headers: bearer(bob.access_token) })).status).toBe(200);
    expect((await app.post('/api/token/refresh', { refresh_token: ada.refresh_token })).status).toBe(200);
    expect((await app.upload(ada.access_token, await makePicture({ seed: 1 }))).status).toBe(200);
    expect((await app.upload(ada.access_token, await makePicture({ seed: 9 }))).status).toBe(201);
  });

  test('is refused where a server runs, or something is there', async () => {
    const made = await backups();
    const app = await openApp({ data: made.target });
    await expect(restoreData(made[kind], made.target)).rejects.toMatchObject({ code: 'data_in_use' });
    await app.close();
    const before = await listing(made.target);
    await expect(restoreData(made[kind], made.target)).rejects.toMatchObject({ code: 'data_not_empty' });
    expect(await listing(made.target)).toEqual(before);
    await writeFile(join(made.place, 'file'), '');
    await expect(restoreData(made[kind], join(made.place, 'file'))).rejects.toMatchObject({ code: 'data_unreadable' });
    await expect(restoreData(join(made.place, 'none'), made.target)).rejects.toMatchObject({ code: 'backup_missing' });
  });

  test('an empty folder, a volume of its own say, is filled', async () => {
    const made = await backups();
    await mkdir(join(made.target, 'lost+found'), { recursive: true });
    await restoreData(made[kind], made.target);
    expect(await checkData(made.target, { lookAgainAfter: 0 })).toMatchObject({ pictures: 4, findings: [] });
  });

  test('one that fails or is interrupted leaves an empty folder', async () => {
    const made = await backups();
    await mkdir(made.target);
    const reason = new Error('enough');
    await expect(restoreData(made[kind], made.target, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(await readdir(made.target)).toEqual(['server.lock']);
    await restoreData(made[kind], made.target);
  });

  test('one that fails leaves none of the folders that it has made', async () => {
    const made = await backups();
    const signal = AbortSignal.abort(new Error('enough'));
    const before = await readdir(made.place);
    await expect(restoreData(made[kind], join(made.place, 'above', 'data'), { signal })).rejects.toThrow('enough');
    expect(await readdir(made.place)).toEqual(before);
  });
});

test(
  'killed at any point it leaves a folder on which no server starts, and which the next restore takes',
  { timeout: 60_000 },
  async () => {
    const { folder, target, place } = await backups();
    let restoring = true;
    const restored = restoreData(folder, target).finally(() => (restoring = false));
    const states: string[] = [];
    let last = '';
    while (restoring) {
      // What has been asked of the disk comes to its end, and nothing more is asked of it while this thread sleeps.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      const now = stateOf(target);
      if (now !== last) {
        const copy = join(place, `killed-${states.length}`);
        cpSync(target, copy, { recursive: true });
        states.push(copy);
        last = now;
      }
      await setImmediate();
    }
    await restored;
    // The folder itself, the note that it is not finished, each file on its way, and the moves into place.
    expect(states.length).toBeGreaterThan(10);
    let refused = 0;
    for (const copy of states) {
      // Before its first step is done a new folder is as empty as it was.
      const isBegun = existsSync(join(copy, 'db.json'));
      const app = isBegun ? await openApp({ data: copy }).catch((error: unknown) => error) : null;
      if (app instanceof Error) {
        refused += 1;
        expect(app).toMatchObject({ code: 'data_unreadable' });
      }
      if (app === null || app instanceof Error) await restoreData(folder, copy);
      else await (app as TestApp).close();
      expect(await checkData(copy, { lookAgainAfter: 0 })).toMatchObject({ pictures: 4, users: 2, findings: [] });
    }
    expect(refused).toBeGreaterThan(10);
  },
);

test('killed at its very end it leaves a folder on which a server starts, and tidies up', async () => {
  const { folder, target } = await backups();
  await restoreData(folder, target);
  const before = await listing(target);
  await cp(folder, join(target, 'restoring'), { recursive: true });
  await (await openApp({ data: target })).close();
  expect((await listing(target)).filter((line) => line.includes('restoring'))).toEqual([]);
  expect(await listing(target)).toEqual(expect.arrayContaining(before));
});

/** What a process that was killed now would leave. */
function stateOf(folder: string): string {
  if (!existsSync(folder)) return '';
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted();
  const accounts = names.includes('db.json') ? readFileSync(join(folder, 'db.json'), 'utf8') : '';
  return `${names.join('\n')}${accounts}`;
}

describe('a tar is refused, and nothing is written,', () => {
  const hostile: [what: string, entry: Entry][] = [
    ['with an absolute path', { name: '/tmp/imgup-was-here' }],
    ['with a path out of it', { name: '../imgup-was-here' }],
    ['with a path out of it further in', { name: 'images/../../imgup-was-here' }],
    ['with a backslash path out of it', { name: '..\\imgup-was-here' }],
    ['with a path out of it in the pax header', { name: 'x', pax: { path: '../imgup-was-here' } }],
    ['with a symlink', { name: 'images/0a', type: 'symlink', linkname: '/tmp' }],
    ['with a symlink in the place of a file', { name: 'secret', type: 'symlink', linkname: '/etc/passwd' }],
    ['with a hard link', { name: 'secret', type: 'link', linkname: '/etc/passwd' }],
    ['with a device', { name: 'secret', type: 'character-device', devmajor: 1, devminor: 3 }],
    ['with a fifo', { name: 'secret', type: 'fifo' }],
    ['with an unknown name', { name: 'authorized_keys', text: 'ssh-ed25519 …' }],
    ['with an unknown folder', { name: 'cron.d/', type: 'directory' }],
    ['with a program for a picture', { name: `images/0a/${'0'.repeat(26)}.html`, text: '<script>' }],
    ['with a file of a server that is not part of backups', { name: 'server.lock' }],
    ['with two of one name', { name: 'secret', text: `${'0'.repeat(64)}\n` }],
    ['with a picture of nobody', { name: `images/0a/${'0'.repeat(26)}.json`, text: '{}' }],
    ['with a name that holds a NUL', { name: 'secret', pax: { path: 'secret\0x' } }],
  ];
  test.each(hostile)('%s', async (_what, entry) => {
    const { folder, place, target } = await backups();
    const tar = await tarOf(folder, [entry]);
    const before = await listing(place);
    await expect(restoreData(tar, target)).rejects.toMatchObject({
      code: 'backup_invalid',
      // Whatever is no file is not even looked into.
      message: expect.stringContaining(
        entry.type === undefined ? 'backup' : `${entry.name}, which is no part`,
      ) as string,
    });
    expect(await listing(place)).toEqual(before);
    await expect(stat('/tmp/imgup-was-here')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('cut short anywhere, or with any byte changed', { timeout: 60_000 }, async () => {
    const { tar, target } = await backups();
    const bytes = await readFile(tar);
    for (let end = 0; end < bytes.length - 1024; end += 1536) {
      await writeFile(tar, bytes.subarray(0, end));
      await expect(restoreData(tar, target)).rejects.toMatchObject({ code: 'backup_invalid' });
    }
    expect(existsSync(target)).toBe(false);
    let changed = 0;
    for (let at = 0; at < bytes.length - 1024; at += 499) {
      const other = Buffer.from(bytes);
      other[at] = (other[at] ?? 0) ^ 1;
      await writeFile(tar, other);
      const outcome = await restoreData(tar, target).catch((error: unknown) => error);
      if (outcome instanceof Error) {
        expect(outcome).toMatchObject({ name: 'MaintenanceError' });
        changed += 1;
      } else {
        // Some bytes mean nothing: what fills a block up.
        expect(await checkData(target, { lookAgainAfter: 0 })).toMatchObject({ pictures: 4, findings: [] });
        await rm(target, { recursive: true });
      }
    }
    expect(changed).toBeGreaterThan(10);
  });

  test.each([
    ['that is none', 'no tar at all '.repeat(100)],
    ['that is empty', ''],
  ])('%s', async (_what, text) => {
    const place = await temporaryFolder();
    await writeFile(join(place, 'backup.tar'), text);
    const restoring = restoreData(join(place, 'backup.tar'), join(place, 'data'));
    await expect(restoring).rejects.toMatchObject({ code: 'backup_invalid' });
  });
});

test('a tar that was unpacked and packed again by hand is taken', async () => {
  const { folder, target, place } = await backups();
  const tar = pack();
  const path = join(place, 'by-hand.tar');
  const written = pipeline(tar, createWriteStream(path));
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  tar.entry({ name: './', type: 'directory' });
  for (const entry of entries.toReversed()) {
    const name = `./${join(entry.parentPath, entry.name).slice(folder.length + 1)}`;
    if (entry.isDirectory()) tar.entry({ name: `${name}/`, type: 'directory' });
    else tar.entry({ name }, await readFile(join(folder, name)));
  }
  tar.finalize();
  await written;
  expect(await restoreData(path, target)).toMatchObject({ pictures: 4 });
});

describe('a folder is refused', () => {
  test.each<[string, (made: Awaited<ReturnType<typeof backups>>) => Promise<unknown>]>([
    ['that is no backup', ({ folder }) => rm(join(folder, 'backup.json'))],
    ['with a file too many', ({ folder }) => writeFile(join(folder, 'notes.txt'), '')],
    [
      'with a link',
      async ({ folder, place }) => {
        await rename(join(folder, 'secret'), join(place, 'secret'));
        await symlink(join(place, 'secret'), join(folder, 'secret'));
      },
    ],
    ['without its secret', ({ folder }) => rm(join(folder, 'secret'))],
    ['without its accounts', ({ folder }) => rm(join(folder, 'db.json'))],
    [
      'with changed accounts',
      async ({ folder }) => {
        const text = await readFile(join(folder, 'db.json'), 'utf8');
        await writeFile(join(folder, 'db.json'), text.replace('"user"', '"admin"'));
      },
    ],
    [
      'without one picture and all that belongs to it',
      async ({ folder, ada, first }) => {
        const home = join(folder, 'images', ada.user.id);
        for (const file of [`${first.id}.png`, `${first.id}.json`, `by-digest/${first.sha256}`])
          await rm(join(home, file));
      },
    ],
    [
      'with a picture that is another',
      async ({ folder, ada, first, second }) => {
        const home = join(folder, 'images', ada.user.id);
        await cp(join(home, `${first.id}.png`), join(home, `${second.id}.png`));
      },
    ],
    [
      'with a picture that is another, though its own list agrees',
      async ({ folder, ada, first, second }) => {
        const home = join(folder, 'images', ada.user.id);
        await cp(join(home, `${first.id}.png`), join(home, `${second.id}.png`));
        await listAnew(folder);
      },
    ],
    [
      'with pictures of nobody, though its own list agrees',
      async ({ folder, ada, first, second, third }) => {
        const other = join(folder, 'images', '0123456789abcdef');
        await rename(join(folder, 'images', ada.user.id), other);
        for (const { id } of [first, second, third]) {
          const record = JSON.parse(await readFile(join(other, `${id}.json`), 'utf8')) as object;
          await writeFile(join(other, `${id}.json`), JSON.stringify({ ...record, owner: '0123456789abcdef' }));
        }
        await listAnew(folder);
      },
    ],
    [
      'of a newer imgup',
      async ({ folder }) => {
        const manifest = JSON.parse(await readFile(join(folder, 'backup.json'), 'utf8')) as object;
        await writeFile(join(folder, 'backup.json'), JSON.stringify({ ...manifest, format: 2 }));
      },
    ],
  ])('%s', async (_what, change) => {
    const made = await backups();
    await change(made);
    await expect(restoreData(made.folder, made.target)).rejects.toMatchObject({ code: 'backup_invalid' });
    expect(existsSync(made.target)).toBe(false);
  });
});
