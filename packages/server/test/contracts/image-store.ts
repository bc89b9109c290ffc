import { createHash, randomUUID } from 'node:crypto';
import { access, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createWrittenFile } from '../../src/adapters/filesystem/written-file.ts';
import { digestKey, type ImageRecord, type ImageStore } from '../../src/ports/image-store.ts';
import type { WrittenFile } from '../../src/ports/written-file.ts';

interface OpenedStore {
  store: ImageStore;
  /** A folder that files can be put from. */
  scratch: string;
  /** Loses the record of a picture, or its bytes, behind the store's back. */
  lose(record: ImageRecord, what: 'record' | 'picture'): Promise<void>;
  /** Makes a record unreadable. */
  damage(record: ImageRecord): Promise<void>;
  /** What lies in the place of the pictures, by any names; empty where nothing of any picture is left. */
  left(): Promise<string[]>;
}

type RecordWishes = Partial<Pick<ImageRecord, 'owner' | 'expiresAt' | 'name'>> & { keepMetadata?: boolean };

/** The record of a picture that consists of a text. */
export function recordOf(
  id: string,
  content: string,
  { owner = 'ada', expiresAt = null, name = null, keepMetadata = false }: RecordWishes = {},
): ImageRecord {
  const sha256 = createHash('sha256').update(content).digest('hex');
  return {
    id,
    owner,
    name,
    type: 'image/png',
    extension: 'png',
    bytes: Buffer.byteLength(content),
    width: 1,
    height: 1,
    sha256,
    sourceSha256: sha256,
    digestKey: digestKey(sha256, keepMetadata),
    removed: [],
    createdAt: '2026-01-01T00:00:00.000Z',
    expiresAt,
  };
}

/** A picture as it arrives: a file with its bytes. */
export async function receive(scratch: string, content: string): Promise<WrittenFile> {
  const path = join(scratch, randomUUID());
  const handle = await open(path, 'wx');
  await handle.writeFile(content);
  const file = createWrittenFile(path, handle);
  onTestFinished(() => file.close());
  return file;
}

const NOON = '2026-01-01T12:00:00.000Z';
const NOW = Date.parse(NOON);
const LATER = '2026-01-01T13:30:00.000Z';

async function nothing(): Promise<void> {
  // Nobody else wants to know of it.
}

/** What every image store promises. */
export function imageStoreContract(adapter: string, open: () => Promise<OpenedStore>): void {
  async function opened() {
    const place = await open();
    const { store, scratch } = place;
    return {
      ...place,
      put: async (id: string, content: string, wishes: RecordWishes & { now?: number; quota?: number } = {}) => {
        const { now = 0, quota = null, ...rest } = wishes;
        return store.put(recordOf(id, content, rest), await receive(scratch, content), now, { quota });
      },
      idsOf: async (owner = 'ada') => (await store.list(owner, null, 100)).records.map(({ id }) => id),
    };
  }

  describe(`the ${adapter} image store`, () => {
    test('keeps a picture, finds it by id and by digest, and reads all of it or a part', async () => {
      const { store, put } = await opened();
      const result = await put('7a', 'a picture', { name: 'ä "name".png' });
      const record = recordOf('7a', 'a picture', { name: 'ä "name".png' });
      expect(result).toEqual({ outcome: 'created', record });
      expect(await store.head('ada', '7a')).toEqual(record);
      expect(await store.findByDigest('ada', record.digestKey)).toEqual(record);
      expect(await text(await store.read(record))).toBe('a picture');
      expect(await text(await store.read(record, { start: 2, end: 4 }))).toBe('pic');
      expect(await store.withFile(record, (path) => readFile(path, 'utf8'))).toBe('a picture');
      expect(await store.usage('ada')).toEqual({ pictures: 1, bytes: 9 });
    });

    test('has nothing of an id, a digest or an owner that it does not know, or that is none', async () => {
      const { store, put } = await opened();
      await put('7a', 'a');
      for (const [owner, id] of [
        ['ada', '7b'],
        ['bob', '7a'],
        ['../ada', '7a'],
        ['ada', '../ada/7a'],
        ['ada', ''],
      ] as const) {
        expect(await store.head(owner, id)).toBeNull();
        expect(await store.delete(owner, id)).toBeNull();
      }
      expect(await store.findByDigest('ada', 'f'.repeat(64))).toBeNull();
      expect(await store.findByDigest('bob', recordOf('7a', 'a').digestKey)).toBeNull();
      expect(await store.list('bob', null, 10)).toEqual({ records: [], next: null });
      expect(await store.usage('bob')).toEqual({ pictures: 0, bytes: 0 });
      await store.deleteOwner('bob');
      await store.tidyOwner('bob');
    });

    test('takes the file away that it has stored', async () => {
      const { store, scratch } = await opened();
      const file = await receive(scratch, 'a picture');
      await store.put(recordOf('7a', 'a picture'), file, 0, { quota: null });
      await expect(access(file.path)).rejects.toThrow('ENOENT');
    });

    test('answers bytes that the owner has already with what is there, and leaves the file', async () => {
      const { store, put, scratch } = await opened();
      await put('7b', 'same');
      const file = await receive(scratch, 'same');
      const result = await store.put(recordOf('7a', 'same'), file, 0, { quota: 0 });
      expect(result).toEqual({ outcome: 'known', record: recordOf('7b', 'same') });
      await access(file.path);
      expect(await put('7c', 'same', { owner: 'bob' })).toMatchObject({ outcome: 'created' });
      expect(await put('7d', 'same', { keepMetadata: true })).toMatchObject({ outcome: 'created' });
      expect(await store.usage('ada')).toEqual({ pictures: 2, bytes: 8 });
    });

    test('makes one picture of the same bytes that come many times at once', async () => {
      const { put, idsOf, store } = await opened();
      const results = await Promise.all(Array.from({ length: 12 }, (_, at) => put(`7${at}`, 'same')));
      expect(results.filter(({ outcome }) => outcome === 'created')).toHaveLength(1);
      const ids = new Set(results.map((result) => ('record' in result ? result.record.id : result.outcome)));
      expect([...ids]).toEqual(await idsOf());
      expect(await store.usage('ada')).toEqual({ pictures: 1, bytes: 4 });
    });

    test('puts the end of a picture off where the same bytes ask for a later one, and never brings it forward', async () => {
      const { store, put } = await opened();
      await put('7a', 'a', { expiresAt: NOON });
      expect(await put('7b', 'a', { expiresAt: LATER })).toMatchObject({ record: { id: '7a', expiresAt: LATER } });
      expect(await put('7c', 'a', { expiresAt: NOON })).toMatchObject({ record: { id: '7a', expiresAt: LATER } });
      expect(await store.sweepExpired(NOW, nothing)).toEqual([]);
      expect(await store.head('ada', '7a')).toMatchObject({ expiresAt: LATER });
      expect(await put('7d', 'a')).toMatchObject({ outcome: 'known', record: { id: '7a', expiresAt: null } });
      expect(await put('7e', 'a', { expiresAt: LATER })).toMatchObject({ record: { id: '7a', expiresAt: null } });
      expect(await store.sweepExpired(NOW * 2, nothing)).toEqual([]);
      expect(await store.head('ada', '7a')).toMatchObject({ expiresAt: null });
    });

    test('makes a new picture of bytes whose picture has expired, and sweeps the old one alone', async () => {
      const { store, put, idsOf } = await opened();
      await put('7b', 'a', { expiresAt: NOON });
      expect(await put('7a', 'a', { now: NOW })).toMatchObject({ outcome: 'created', record: { id: '7a' } });
      expect(await store.sweepExpired(NOW, nothing)).toEqual([]);
      expect(await idsOf()).toEqual(['7a']);
      expect(await store.findByDigest('ada', recordOf('7a', 'a').digestKey)).toMatchObject({ id: '7a' });
      expect(await text(await store.read(recordOf('7a', 'a')))).toBe('a');
    });

    test('gives a picture that has lost its record the record of the same bytes, so that its link works again', async () => {
      const { store, put, lose } = await opened();
      await put('7a', 'a');
      await lose(recordOf('7a', 'a'), 'record');
      expect(await store.head('ada', '7a')).toBeNull();
      expect(await put('7b', 'a')).toEqual({ outcome: 'created', record: recordOf('7a', 'a') });
      expect(await text(await store.read(recordOf('7a', 'a')))).toBe('a');
    });

    test('makes a new picture of bytes whose picture is lost, and rejects to read what is lost', async () => {
      const { store, put, lose } = await opened();
      await put('7b', 'a');
      await lose(recordOf('7b', 'a'), 'picture');
      await expect(store.read(recordOf('7b', 'a'))).rejects.toBeInstanceOf(Error);
      expect(await put('7a', 'a')).toMatchObject({ outcome: 'created', record: { id: '7a' } });
      expect(await text(await store.read(recordOf('7a', 'a')))).toBe('a');
    });

    test('lists from the newest to the oldest, a page after the other', async () => {
      const { store, put } = await opened();
      const ids = Array.from({ length: 7 }, (_, at) => `7${'abcdefg'[at]}`);
      for (const id of ids.toReversed()) await put(id, `picture ${id}`);
      const first = await store.list('ada', null, 3);
      expect([first.records.map(({ id }) => id), first.next]).toEqual([['7a', '7b', '7c'], '7c']);
      const second = await store.list('ada', first.next, 3);
      expect([second.records.map(({ id }) => id), second.next]).toEqual([['7d', '7e', '7f'], '7f']);
      expect(await store.list('ada', second.next, 3)).toEqual({ records: [recordOf('7g', 'picture 7g')], next: null });
      expect((await store.list('ada', '7cc', 1)).records).toMatchObject([{ id: '7d' }]);
      expect(await store.list('ada', '/'.repeat(5000), 1)).toMatchObject({ next: expect.anything() as unknown });
    });

    test('does not hide other pictures where one record is damaged', async () => {
      const { store, put, damage, idsOf } = await opened();
      for (const id of ['7a', '7b', '7c']) await put(id, id);
      await damage(recordOf('7b', '7b'));
      expect(await idsOf()).toEqual(['7a', '7c']);
      await expect(store.head('ada', '7b')).rejects.toMatchObject({ code: 'storage_unavailable' });
    });

    test('removes a picture once, leaves nothing of it, and takes the same bytes as a new one', async () => {
      const { store, put, left, idsOf } = await opened();
      await put('7b', 'a');
      expect(await store.usage('ada')).toEqual({ pictures: 1, bytes: 1 });
      const removals = await Promise.all([store.delete('ada', '7b'), store.delete('ada', '7b')]);
      expect(removals.filter((record) => record !== null).map((record) => record.id)).toEqual(['7b']);
      expect(await store.delete('ada', '7b')).toBeNull();
      expect(await store.head('ada', '7b')).toBeNull();
      expect(await store.findByDigest('ada', recordOf('7b', 'a').digestKey)).toBeNull();
      await expect(store.read(recordOf('7b', 'a'))).rejects.toBeInstanceOf(Error);
      expect(await left()).toEqual([]);
      expect(await store.usage('ada')).toEqual({ pictures: 0, bytes: 0 });
      expect(await put('7a', 'a')).toMatchObject({ outcome: 'created', record: { id: '7a' } });
      expect(await idsOf()).toEqual(['7a']);
    });

    test('leaves all of a picture or nothing where it is removed and uploaded at the same moment', async () => {
      const { store, put, left, idsOf } = await opened();
      for (let round = 0; round < 5; round += 1) {
        await put(`7b${round}`, 'a');
        const [result] = await Promise.all([put(`7a${round}`, 'a'), store.delete('ada', `7b${round}`)]);
        expect(result.outcome).toMatch(/created|known/);
        const ids = await idsOf();
        for (const id of ids) expect(await text(await store.read(recordOf(id, 'a')))).toBe('a');
        for (const id of ids) await store.delete('ada', id);
        expect(await left()).toEqual([]);
      }
    });

    test('removes all pictures of an owner, and of no other', async () => {
      const { store, put, idsOf } = await opened();
      for (const id of ['7a', '7b', '7c']) await put(id, id, { expiresAt: id === '7b' ? NOON : null });
      await put('7d', '7a', { owner: 'adah' });
      await store.usage('ada');
      await store.deleteOwner('ada');
      await store.tidyOwner('ada');
      expect(await idsOf()).toEqual([]);
      expect(await store.usage('ada')).toEqual({ pictures: 0, bytes: 0 });
      expect(await store.sweepExpired(NOW, nothing)).toEqual([]);
      expect(await idsOf('adah')).toEqual(['7d']);
      expect(await put('7e', '7a')).toMatchObject({ outcome: 'created', record: { id: '7e' } });
    });

    test('keeps an owner within a quota, however many pictures come at once', async () => {
      const { store, put } = await opened();
      const results = await Promise.all(
        Array.from({ length: 8 }, (_, at) => put(`7${at}`, `four ${at}`.slice(-4), { quota: 12 })),
      );
      expect(results.filter(({ outcome }) => outcome === 'created')).toHaveLength(3);
      expect(await store.usage('ada')).toEqual({ pictures: 3, bytes: 12 });
      const [some] = (await store.list('ada', null, 1)).records;
      await store.delete('ada', some?.id ?? '');
      expect(await put('7z', 'room', { quota: 12 })).toMatchObject({ outcome: 'created' });
    });

    test('sweeps what has expired, each after it has said so, and nothing else', async () => {
      const { store, put, left, idsOf } = await opened();
      await put('7a', 'a', { expiresAt: NOON });
      await put('7b', 'b', { expiresAt: LATER });
      await put('7c', 'c');
      const swept: string[] = [];
      const note = async ({ id }: ImageRecord) => void swept.push(id);
      expect(await store.sweepExpired(NOW - 1, note)).toEqual([]);
      expect(swept).toEqual([]);
      expect(await store.sweepExpired(NOW, note)).toEqual([]);
      expect(swept).toEqual(['7a']);
      expect(await idsOf()).toEqual(['7b', '7c']);
      for (const id of ['7b', '7c']) await store.delete('ada', id);
      expect(await left()).toEqual([]);
    });

    test('goes on with the sweep where one picture resists, says so, and tries it again', async () => {
      const { store, put, idsOf } = await opened();
      for (const id of ['7a', '7b']) await put(id, id, { expiresAt: NOON });
      const resist = ({ id }: ImageRecord) => (id === '7a' ? Promise.reject(new Error('resists')) : nothing());
      expect(await store.sweepExpired(NOW, resist)).toMatchObject([{ message: 'resists' }]);
      expect(await idsOf()).toEqual(['7a']);
      expect(await store.sweepExpired(NOW, nothing)).toEqual([]);
      expect(await idsOf()).toEqual([]);
    });

    test('leaves no trace of a picture that cannot be stored', async () => {
      const { store, left, scratch } = await opened();
      const file = await receive(scratch, 'a');
      await rm(file.path);
      const put = store.put(recordOf('7a', 'a', { expiresAt: NOON }), file, 0, { quota: null });
      await expect(put).rejects.toBeInstanceOf(Error);
      expect(await left()).toEqual([]);
      expect(await store.usage('ada')).toEqual({ pictures: 0, bytes: 0 });
    });
  });
}
