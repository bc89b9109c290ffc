import {
  chmod,
  copyFile,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
  type FileHandle,
} from 'node:fs/promises';
import { join, relative } from 'node:path';
import { checkData, type CheckResult } from '@imgup/server';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { failReading } from './failing-disk.ts';
import { filledFolder, follow, listing, MANY_UPLOADS } from './maintenance.ts';
import { makePicture } from './pictures.ts';
import { bearer, imageOf, openApp, temporaryFolder } from './test-app.ts';

type Folder = Awaited<ReturnType<typeof filledFolder>>;

const AT_ONCE = { lookAgainAfter: 0 };
const kinds = ({ findings }: CheckResult) => findings.map(({ kind, mended }) => `${kind}${mended ? ' mended' : ''}`);
const json = (path: string) => readFile(path, 'utf8').then((text) => JSON.parse(text) as Record<string, unknown>);
const lostFiles = async ({ lostAndFound }: CheckResult) => {
  if (lostAndFound === null) return 0;
  const entries = await readdir(lostAndFound, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).length;
};

test('a folder that a server has left has nothing wrong, and is only read', async () => {
  const { data } = await filledFolder();
  const before = await listing(data);
  expect(await checkData(data, AT_ONCE)).toMatchObject({ pictures: 4, users: 2, findings: [] });
  expect(await checkData(data, { repair: true })).toMatchObject({ pictures: 4, users: 2, findings: [] });
  expect(await listing(data)).toEqual(before);
});

/** What is done by hand, what is found, how many pictures are whole after a repair, and how many files went to lost+found. */
const DAMAGE: [
  what: string,
  damage: (folder: Folder) => Promise<unknown>,
  found: string[],
  whole: number,
  lost: number,
][] = [
  [
    'what a restore has left that was killed when all else was done',
    async ({ data }) => {
      await mkdir(join(data, 'restoring'));
      await writeFile(join(data, 'restoring', 'backup.json'), '{}');
    },
    ['stray'],
    4,
    1,
  ],
  [
    'a picture whose record is gone gets another',
    ({ home, first }) => rm(join(home, `${first.id}.json`)),
    ['picture_without_record'],
    4,
    0,
  ],
  [
    'a picture that nobody was told of',
    async ({ home, first }) => {
      await rm(join(home, `${first.id}.json`));
      await rm(join(home, 'by-digest', first.sha256));
    },
    ['picture_without_record'],
    3,
    1,
  ],
  [
    'a second picture under the same id',
    ({ home, first }) => copyFile(join(home, `${first.id}.png`), join(home, `${first.id}.gif`)),
    ['picture_without_record'],
    4,
    1,
  ],
  ['a picture that is gone', ({ home, first }) => rm(join(home, `${first.id}.png`)), ['record_without_picture'], 3, 2],
  [
    'a record that is no JSON',
    ({ home, first }) => writeFile(join(home, `${first.id}.json`), '{"id":'),
    ['record_damaged'],
    4,
    1,
  ],
  [
    'a record that contradicts its path',
    ({ home, first, second }) => copyFile(join(home, `${second.id}.json`), join(home, `${first.id}.json`)),
    ['record_damaged'],
    4,
    1,
  ],
  [
    'a damaged record of a damaged picture',
    async ({ home, first }) => {
      await writeFile(join(home, `${first.id}.json`), '');
      await writeFile(join(home, `${first.id}.png`), 'no picture');
    },
    ['record_damaged'],
    3,
    3,
  ],
  [
    'a record that is gone, of a picture that was exchanged',
    async ({ home, first }) => {
      await rm(join(home, `${first.id}.json`));
      await writeFile(join(home, `${first.id}.png`), await makePicture({ seed: 99 }));
    },
    ['picture_without_record'],
    3,
    2,
  ],
  [
    'a picture with one bit turned',
    async ({ home, first }) => {
      const bytes = await readFile(join(home, `${first.id}.png`));
      bytes[40] = (bytes[40] ?? 0) ^ 1;
      await writeFile(join(home, `${first.id}.png`), bytes);
    },
    ['picture_damaged'],
    3,
    3,
  ],
  [
    'a picture cut short',
    async ({ home, first }) => {
      const bytes = await readFile(join(home, `${first.id}.png`));
      await writeFile(join(home, `${first.id}.png`), bytes.subarray(0, -1));
    },
    ['picture_damaged'],
    3,
    3,
  ],
  [
    'a pointer to nothing',
    ({ home }) => writeFile(join(home, 'by-digest', 'a'.repeat(64)), '7zzzzzzzzz0000000000000000'),
    ['pointer_dangling'],
    4,
    1,
  ],
  [
    'pointers that are exchanged',
    async ({ home, first, second }) => {
      await writeFile(join(home, 'by-digest', first.sha256), second.id);
      await writeFile(join(home, 'by-digest', second.sha256), first.id);
    },
    ['pointer_wrong', 'pointer_wrong', 'record_without_pointer', 'record_without_pointer'],
    4,
    2,
  ],
  [
    'a record without a pointer',
    ({ home, first }) => rm(join(home, 'by-digest', first.sha256)),
    ['record_without_pointer'],
    4,
    0,
  ],
  [
    'a twin',
    async ({ home, first }) => {
      const id = '0'.repeat(26);
      const record = await json(join(home, `${first.id}.json`));
      await writeFile(join(home, `${id}.json`), JSON.stringify({ ...record, id }));
      await copyFile(join(home, `${first.id}.png`), join(home, `${id}.png`));
    },
    ['twin'],
    4,
    2,
  ],
  [
    'the pictures of nobody',
    ({ data, home }) => rename(home, join(data, 'images', '0123456789abcdef')),
    ['leftover'],
    1,
    9,
  ],
  [
    'a removal that was interrupted',
    async ({ data, ada }) => {
      const database = await json(join(data, 'db.json'));
      const users = database['users'] as Record<string, unknown>;
      delete users[ada.user.id];
      await writeFile(join(data, 'db.json'), JSON.stringify({ ...database, removals: { [ada.user.id]: 'remove' } }));
    },
    ['leftover'],
    1,
    0,
  ],
  [
    'a half-received file',
    async ({ data }) => {
      await writeFile(join(data, 'incoming', 'x'), 'half');
      await utimes(join(data, 'incoming', 'x'), 1, 1);
    },
    ['half_received'],
    4,
    0,
  ],
  [
    'drafts',
    async ({ home }) => {
      await writeFile(join(home, `.${crypto.randomUUID()}`), '{');
      await writeFile(join(home, 'by-digest', `.${crypto.randomUUID()}`), '');
    },
    ['draft', 'draft'],
    4,
    0,
  ],
  [
    'what no server writes',
    async ({ data, home }) => {
      await writeFile(join(home, 'notes.txt'), 'mine');
      await mkdir(join(home, 'folder'));
      await writeFile(join(data, 'images', 'notes.txt'), 'mine');
    },
    ['stray', 'stray', 'stray'],
    4,
    2,
  ],
  [
    'a damaged db.json',
    ({ data }) => writeFile(join(data, 'db.json'), '{"format":1,"users"', { mode: 0o600 }),
    ['accounts_damaged'],
    4,
    1,
  ],
  ['a db.json that is gone', ({ data }) => rm(join(data, 'db.json')), ['accounts_missing'], 4, 0],
  [
    'secrets that others may read',
    async ({ data }) => {
      await chmod(join(data, 'secret'), 0o644);
      await chmod(join(data, 'db.json'), 0o640);
    },
    ['mode_open', 'mode_open'],
    4,
    0,
  ],
];

describe('is found, mended, and not found again:', () => {
  test.each(DAMAGE)('%s', async (_what, damage, found, whole, lost) => {
    const folder = await filledFolder();
    const { data } = folder;
    await damage(folder);
    const before = await listing(data);
    expect(kinds(await checkData(data, AT_ONCE)).toSorted()).toEqual(found);
    expect(await listing(data)).toEqual(before);

    const repaired = await checkData(data, { repair: true });
    expect(kinds(repaired).toSorted()).toEqual(found.map((kind) => `${kind} mended`));
    expect(repaired.pictures).toBe(whole);
    expect(await lostFiles(repaired)).toBe(lost);
    expect(repaired.lostAndFound === null).toBe(lost === 0);
    expect(await checkData(data, AT_ONCE)).toMatchObject({ pictures: whole, findings: [] });
    expect(await checkData(data, { repair: true })).toMatchObject({ findings: [] });

    const app = await openApp({ data });
    expect((await follow(app, folder.his.url)).status).toBe(200);
  });
});

test.each([
  ['a record', ({ home, first }: Folder) => join(home, `${first.id}.json`), 'record_damaged', 3],
  ['a pointer', ({ home, first }: Folder) => join(home, 'by-digest', first.sha256), 'pointer_dangling', 4],
  ['db.json', ({ data }: Folder) => join(data, 'db.json'), 'accounts_damaged', 4],
  ['the secret', ({ data }: Folder) => join(data, 'secret'), 'secret_damaged', 4],
] as const)('%s that the disk cannot read is named, and the rest is looked at', async (_what, pathIn, kind, whole) => {
  const folder = await filledFolder();
  const path = pathIn(folder);
  failReading(path);
  const found = await checkData(folder.data, AT_ONCE);
  expect(found.pictures).toBe(whole);
  expect(found.findings).toContainEqual({
    kind,
    path: relative(folder.data, path).replaceAll('\\', '/'),
    mended: false,
  });
});

test('a file where the folder of pointers belongs is named, and the rest is looked at', async () => {
  const { data, home, ada } = await filledFolder();
  await rm(join(home, 'by-digest'), { recursive: true });
  await writeFile(join(home, 'by-digest'), '');
  const found = await checkData(data, AT_ONCE);
  expect(found.pictures).toBe(4);
  expect(found.findings).toContainEqual({ kind: 'stray', path: `images/${ada.user.id}/by-digest`, mended: false });
});

test('a record made anew serves the same picture under the same link, and knows its time', async () => {
  const folder = await filledFolder();
  const { data, home, first, ada } = folder;
  const path = join(home, `${first.id}.json`);
  const before = await json(path);
  await writeFile(path, '');
  await checkData(data, { repair: true });
  expect(await json(path)).toEqual({ ...before, name: null });
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  const app = await openApp({ data });
  expect((await follow(app, first.url)).bytes).toEqual(await makePicture({ seed: 1 }));
  expect((await app.upload(ada.access_token, await makePicture({ seed: 1 }))).status).toBe(200);
});

test.each([
  [
    'whose record is damaged and whose pointer is gone',
    async ({ home, first }: Folder) => {
      await writeFile(join(home, `${first.id}.json`), 'damaged');
      await rm(join(home, 'by-digest', first.sha256));
    },
  ],
  [
    'whose record is gone and whose pointer does not fit',
    async ({ home, first }: Folder) => {
      await rm(join(home, `${first.id}.json`));
      await rename(join(home, 'by-digest', first.sha256), join(home, 'by-digest', 'f'.repeat(64)));
    },
  ],
  [
    'whose record tells of other bytes',
    async ({ home, first }: Folder) => {
      const path = join(home, `${first.id}.json`);
      await writeFile(path, JSON.stringify({ ...(await json(path)), sha256: 'e'.repeat(64) }));
    },
  ],
] as const)(
  'a picture %s outlives a repair that ends anywhere, and the next start',
  async (_, damage) => {
    for (let end = 1, ended = true; ended; end += 1) {
      const folder = await filledFolder();
      const { data, home, first } = folder;
      const picture = await readFile(join(home, `${first.id}.png`));
      await damage(folder);
      const disk = await endAtFsync(end);
      ended = await checkData(data, { repair: true }).then(
        () => false,
        () => true,
      );
      disk.mockRestore();
      await (await openApp({ data })).close();
      const entries = await readdir(data, { recursive: true, withFileTypes: true });
      const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
      const contents = await Promise.all(files.map((file) => readFile(file)));
      expect(contents.some((bytes) => bytes.equals(picture))).toBe(true);
      // Fsyncs of a start and of a repair that is whole are not so many.
      expect(end).toBeLessThan(60);
    }
  },
  60_000,
);

/** Makes the fsync of this number, and all after it, fail: what comes after is as if the process had been killed. */
async function endAtFsync(number: number) {
  const file = await open(join(await temporaryFolder(), 'any'), 'w');
  const prototype = Object.getPrototypeOf(file) as FileHandle;
  await file.close();
  let calls = 0;
  const spy = vi.spyOn(prototype, 'sync').mockImplementation(() => {
    calls += 1;
    return calls < number ? Promise.resolve() : Promise.reject(new Error('killed'));
  });
  onTestFinished(() => {
    spy.mockRestore();
  });
  return spy;
}

test('what only a person can mend stays found', async () => {
  const { data } = await filledFolder();
  await rm(join(data, 'db.json.previous'));
  await writeFile(join(data, 'db.json'), '', { mode: 0o600 });
  await writeFile(join(data, 'secret'), 'short');
  for (const options of [AT_ONCE, { repair: true }, { repair: true }]) {
    expect(kinds(await checkData(data, options))).toEqual(['accounts_damaged', 'secret_damaged']);
  }
  // Without accounts nobody can say whose pictures are to be there.
  expect(await checkData(data, AT_ONCE)).toMatchObject({ pictures: 4, users: 0 });
});

test('accounts of a newer imgup are left alone', async () => {
  const { data } = await filledFolder();
  await writeFile(join(data, 'db.json'), '{"format":2}', { mode: 0o600 });
  await expect(checkData(data, { repair: true })).rejects.toMatchObject({ code: 'data_newer' });
  expect(await readFile(join(data, 'db.json'), 'utf8')).toBe('{"format":2}');
});

test('pictures that were kept when their user was removed are no leftovers', async () => {
  const app = await openApp();
  const admin = await app.register('admin');
  const eve = await app.register('eve');
  await imageOf(await app.upload(eve.access_token, await makePicture()));
  const remove = { method: 'DELETE', headers: bearer(admin.access_token) };
  await app.request('/api/users/eve?keep_images=true', remove);
  expect(await checkData(app.data, AT_ONCE)).toMatchObject({ pictures: 1, users: 1, findings: [] });
});

test('a repair is refused while a server runs, and a folder without data is named', async () => {
  const app = await openApp();
  await app.register('ada');
  await expect(checkData(app.data, { repair: true })).rejects.toMatchObject({
    code: 'data_in_use',
    message: expect.stringContaining('stop that one') as string,
  });
  const empty = await temporaryFolder();
  await expect(checkData(empty, { repair: true })).rejects.toMatchObject({ code: 'no_data' });
  expect(await listing(empty)).toEqual([]);
});

describe('beside a running server', () => {
  test('uploads, removals and what is being received are not reported', { timeout: 60_000 }, async () => {
    const app = await openApp(MANY_UPLOADS);
    const admin = await app.register('admin');
    let going = true;
    let worked = 0;
    const work = async (name: number) => {
      for (let round = 0; going; round += 1) {
        const { access_token, user } = await app.register(`user-${name}-${round}`);
        for (let seed = 0; seed < 8; seed += 1) {
          await imageOf(await app.upload(access_token, await makePicture({ seed })));
        }
        await app.request(`/api/users/${user.username}`, { method: 'DELETE', headers: bearer(admin.access_token) });
        worked += 1;
      }
    };
    const working = [work(1), work(2), work(3)];
    for (let round = 0; round < 15 || worked < 4; round += 1) {
      expect((await checkData(app.data, { lookAgainAfter: 300 })).findings).toEqual([]);
    }
    going = false;
    await Promise.all(working);
  });

  test('a picture that is being received for minutes is not, and damage is', async () => {
    const app = await openApp(MANY_UPLOADS);
    const { access_token, user } = await app.register('ada');
    const { id } = await imageOf(await app.upload(access_token, await makePicture()));
    await writeFile(join(app.data, 'incoming', 'now'), 'half');
    await rm(join(app.data, 'images', user.id, `${id}.png`));
    expect(kinds(await checkData(app.data, AT_ONCE))).toEqual(['record_without_picture']);
  });
});
