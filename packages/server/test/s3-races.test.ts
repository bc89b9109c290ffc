import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { createS3ImageStore } from '../src/adapters/s3/image-store.ts';
import type { S3Location } from '../src/adapters/s3/s3-location.ts';
import { createLeftoversSweep } from '../src/adapters/s3/sweep-leftovers.ts';
import type { ImageRecord, ImageStore, PutResult } from '../src/ports/image-store.ts';
import { receive, recordOf } from './contracts/image-store.ts';
import { hasS3, objectsAt, useEngine } from './s3-store.ts';
import { temporaryFolder } from './test-app.ts';

const s3 = useEngine();

const NOON = '2026-01-01T12:00:00.000Z';
const LATER = '2026-01-01T13:30:00.000Z';
const NOW = Date.parse(NOON);
const DAY = 24 * 60 * 60 * 1000;

/** Requests that change what is stored. */
const isChange = (command = '') => /^(Put|Delete|UploadPart|Create|Complete|Abort)/.test(command);

/**
 * One server of several. `meanwhile` is called before each request that changes something, with its number from 1 on:
 * it may wait, or throw, and then the server is dead.
 */
async function openServer(location: S3Location, meanwhile: (nth: number) => Promise<void> = nothing) {
  const objects = objectsAt(location);
  let changes = 0;
  let dead: Error | undefined;
  objects.client.middlewareStack.add(
    (next, context) => async (args) => {
      if (dead !== undefined) throw dead;
      if (isChange(context.commandName)) {
        changes += 1;
        await meanwhile(changes).catch((error: Error) => {
          dead = error;
          throw error;
        });
      }
      return next(args);
    },
    { step: 'initialize' },
  );
  const scratch = await temporaryFolder();
  const store = createS3ImageStore({ objects, scratch });
  return {
    store,
    changes: () => changes,
    put: async (record: ImageRecord, now = 0) => store.put(record, await receive(scratch, 'a'), now, { quota: null }),
  };
}

async function nothing(): Promise<void> {
  // Lives, and does not wait.
}

/** Dies before its nth change of the store. */
function deadFrom(nth: number) {
  return async (at: number) => {
    if (at >= nth) throw new Error('killed');
  };
}

/** Waits before the nth change; the third of an upload that does not expire is its record. */
function pauseBefore(nth: number) {
  let [goOn, arrive] = [() => {}, () => {}];
  const waiting = new Promise<void>((resolve) => (goOn = resolve));
  const reached = new Promise<void>((resolve) => (arrive = resolve));
  return {
    reached,
    goOn: () => {
      goOn();
    },
    async meanwhile(at: number) {
      if (at !== nth) return;
      arrive();
      await waiting;
    },
  };
}

/** What is there, and whether it is whole: each record has its picture, each picture its record, each pointer its picture. */
async function look(location: S3Location) {
  const objects = objectsAt(location);
  const [records, pictures, pointers]: [string[], string[], string[]] = [[], [], []];
  let ended = 0;
  for await (const { key, bytes } of objects.list('images/')) {
    if (bytes === 0) ended += 1;
    else if (key.includes('by-digest')) pointers.push((await objects.read(key))?.text ?? '');
    else (key.endsWith('.json') ? records : pictures).push(key.slice(key.lastIndexOf('/') + 1, key.lastIndexOf('.')));
  }
  return { records, pictures, pointers, ended };
}

async function expectWhole(location: S3Location, pictures: number): Promise<void> {
  const found = await look(location);
  expect(found.records).toHaveLength(pictures);
  expect(found.pictures).toEqual(found.records);
  expect(found.pointers).toEqual(found.records);
}

async function expectReadable(store: ImageStore, result: PutResult): Promise<void> {
  if (result.outcome === 'quota_exceeded') throw new Error('refused');
  const { owner, id } = result.record;
  const record = await store.head(owner, id);
  expect(record && (await text(await store.read(record)))).toBe('a');
}

const sweepOf = (location: S3Location) => createLeftoversSweep(objectsAt(location), location);
const never = () => false;

describe.skipIf(!hasS3)('servers that share an S3 store', { timeout: 60_000 }, () => {
  test('make one picture of the same bytes that both receive at once, and answer with one link', async () => {
    for (let round = 0; round < 10; round += 1) {
      const location = s3.location();
      const servers = await Promise.all([openServer(location), openServer(location), openServer(location)]);
      const results = await Promise.all(
        servers.map(({ put }, at) => put(recordOf(`7${at}`, 'a', { name: `from server ${at}` }))),
      );
      expect(results.filter(({ outcome }) => outcome === 'created')).toHaveLength(1);
      expect(new Set(results.map((result) => 'record' in result && result.record.id)).size).toBe(1);
      await expectWhole(location, 1);
    }
  });

  test('do not wait for one that is slow between its pointer and its record, which then answers with their link', async () => {
    const location = s3.location();
    const pause = pauseBefore(3);
    const slow = await openServer(location, pause.meanwhile);
    const putting = slow.put(recordOf('7a', 'a', { name: 'from the slow one' }));
    await pause.reached;
    const fast = await openServer(location);
    const record = recordOf('7a', 'a', { name: 'from the fast one' });
    expect(await fast.put({ ...record, id: '7b' })).toEqual({ outcome: 'created', record });
    pause.goOn();
    const result = await putting;
    expect(result).toMatchObject({ record });
    await expectReadable(fast.store, result);
    await expectWhole(location, 1);
  });

  test('do not bring back what was taken back while one of them was slow', async () => {
    const location = s3.location();
    const pause = pauseBefore(3);
    const slow = await openServer(location, pause.meanwhile);
    const putting = slow.put(recordOf('7a', 'a'));
    await pause.reached;
    const fast = await openServer(location);
    await fast.put(recordOf('7b', 'a'));
    await fast.store.delete('ada', '7a');
    pause.goOn();
    await expect(putting).rejects.toMatchObject({ code: 'storage_unavailable' });
    await expectWhole(location, 0);
    expect(await slow.put(recordOf('7c', 'a'))).toMatchObject({ outcome: 'created', record: { id: '7c' } });
  });

  test('replace a picture that has expired by one', async () => {
    const location = s3.location();
    const [first, second] = await Promise.all([openServer(location), openServer(location)]);
    await first.put(recordOf('7z', 'a', { expiresAt: NOON }));
    const [one, other] = await Promise.all([first.put(recordOf('7a', 'a'), NOW), second.put(recordOf('7b', 'a'), NOW)]);
    expect(one).toMatchObject({ record: { id: 'record' in other ? other.record.id : '' } });
    await second.store.sweepExpired(NOW, nothing);
    await expectReadable(first.store, one);
    await expectWhole(location, 1);
  });

  test('take back, upload and put off the same picture at once, and never answer with a link that leads nowhere', async () => {
    const location = s3.location();
    const [first, second] = await Promise.all([openServer(location), openServer(location)]);
    for (let round = 0; round < 10; round += 1) {
      await first.put(recordOf(`7z${round}`, 'a', { expiresAt: NOON }));
      const [result, removed] = await Promise.all([
        second.put(recordOf(`7a${round}`, 'a', { expiresAt: LATER })),
        first.store.delete('ada', `7z${round}`),
      ]);
      expect(removed).toMatchObject({ id: `7z${round}` });
      const isKnown = 'record' in result && result.record.id === `7z${round}`;
      // What was answered before it was taken back is gone like every other.
      if (!isKnown) await expectReadable(first.store, result);
      await expectWhole(location, isKnown ? 0 : 1);
      await first.store.deleteOwner('ada');
    }
  });

  test('sweep what has expired at once, each picture once, without a complaint', async () => {
    const location = s3.location();
    const [first, second] = await Promise.all([openServer(location), openServer(location)]);
    for (let at = 0; at < 12; at += 1) {
      const file = await receive(await temporaryFolder(), `${at}`);
      await first.store.put(recordOf(`7${at}`, `${at}`, { expiresAt: NOON }), file, 0, { quota: null });
    }
    const failures = await Promise.all([first, second].map(({ store }) => store.sweepExpired(NOW, nothing)));
    expect(failures).toEqual([[], []]);
    await expectWhole(location, 0);
    expect((await objectsAt(location).list('expiring/').next()).done).toBe(true);
  });

  test('sweep a picture that another is just putting off, or leave it', async () => {
    const location = s3.location();
    const [first, second] = await Promise.all([openServer(location), openServer(location)]);
    for (let round = 0; round < 10; round += 1) {
      await first.put(recordOf(`7z${round}`, 'a', { expiresAt: NOON }));
      const [result, failures] = await Promise.all([
        first.put(recordOf(`7a${round}`, 'a'), NOW - 1),
        second.store.sweepExpired(NOW, nothing),
      ]);
      expect(failures).toEqual([]);
      await expectReadable(second.store, result);
      await expectWhole(location, 1);
      await first.store.deleteOwner('ada');
    }
  });

  test('leave nothing of a user who is removed while an upload is under way, once it has been taken back', async () => {
    const location = s3.location();
    const [first, second] = await Promise.all([openServer(location), openServer(location)]);
    for (let round = 0; round < 5; round += 1) {
      const [result] = await Promise.all([first.put(recordOf(`7a${round}`, 'a')), second.store.deleteOwner('ada')]);
      // As the service does when it finds the user gone.
      if ('record' in result) await first.store.delete('ada', result.record.id);
      await expectWhole(location, 0);
    }
  });
});

describe.skipIf(!hasS3)('a server that is killed', { timeout: 60_000 }, () => {
  const record = () => recordOf('7b', 'a', { expiresAt: LATER });

  test('at any step of an upload leaves what another completes, and what is swept where none does', async () => {
    const whole = await openServer(s3.location());
    await whole.put(record());
    // The entry of the calendar, the picture, the pointer, the record.
    expect(whole.changes()).toBe(4);
    for (let step = 1; step <= 4; step += 1) {
      const [retried, abandoned] = [s3.location(), s3.location()];
      for (const location of [retried, abandoned]) {
        const killed = await openServer(location, deadFrom(step));
        await expect(killed.put(record())).rejects.toMatchObject({ code: 'storage_unavailable' });
        const { list, usage } = (await openServer(location)).store;
        expect(await list('ada', null, 10)).toEqual({ records: [], next: null });
        expect(await usage('ada')).toEqual({ pictures: 0, bytes: 0 });
      }
      const other = await openServer(retried);
      const result = await other.put(recordOf('7a', 'a'));
      expect(result.outcome).toBe('created');
      await expectReadable(other.store, result);
      await sweepOf(retried).sweep(Date.now() + 2 * DAY, never);
      await expectWhole(retried, 1);
      // What is young may be an upload that is under way.
      const before = await look(abandoned);
      await sweepOf(abandoned).sweep(Date.now(), never);
      expect(await look(abandoned)).toEqual(before);
      for (let time = 1; time <= 2; time += 1) await sweepOf(abandoned).sweep(Date.now() + 2 * DAY, never);
      expect(await look(abandoned)).toEqual({ records: [], pictures: [], pointers: [], ended: 0 });
    }
  });

  test('at any step of a removal has removed it or not, and what is left is swept', async () => {
    const whole = await openServer(s3.location());
    await whole.put(record());
    const before = whole.changes();
    await whole.store.delete('ada', '7b');
    const steps = whole.changes() - before;
    // The record, the pointer, the picture.
    expect(steps).toBe(3);
    for (let step = 1; step <= steps; step += 1) {
      const location = s3.location();
      await (await openServer(location)).put(record());
      const killed = await openServer(location, deadFrom(step));
      await expect(killed.store.delete('ada', '7b')).rejects.toMatchObject({ code: 'storage_unavailable' });
      const { store, put } = await openServer(location);
      if (step === 1) {
        await expectWhole(location, 1);
        expect(await store.delete('ada', '7b')).toMatchObject({ id: '7b' });
      } else {
        expect(await store.head('ada', '7b')).toBeNull();
        const again = await put(recordOf('7a', 'a'));
        expect(again).toMatchObject({ outcome: 'created', record: { id: '7a' } });
        // Asked for again, it is finished at once.
        if (step === 3) expect(await store.delete('ada', '7b')).toMatchObject({ id: '7b' });
        await store.delete('ada', '7a');
      }
      await sweepOf(location).sweep(Date.now() + 2 * DAY, never);
      await sweepOf(location).sweep(Date.now() + 2 * DAY, never);
      expect(await look(location)).toEqual({ records: [], pictures: [], pointers: [], ended: 0 });
    }
  });
});

describe.skipIf(!hasS3)('the sweep of an S3 store', { timeout: 60_000 }, () => {
  test('keeps an upload that was under way for longer than it waits from being acknowledged', async () => {
    const location = s3.location();
    const pause = pauseBefore(3);
    const slow = await openServer(location, pause.meanwhile);
    const putting = slow.put(recordOf('7a', 'a'));
    await pause.reached;
    await sweepOf(location).sweep(Date.now() + 2 * DAY, never);
    pause.goOn();
    await expect(putting).rejects.toMatchObject({ code: 'storage_unavailable' });
    await expectWhole(location, 0);
  });

  test('is done by one server, once a day', async () => {
    const location = s3.location();
    const sweeps = [sweepOf(location), sweepOf(location), sweepOf(location)];
    const due = (now: number) => Promise.all(sweeps.map(({ isDue }) => isDue(now)));
    expect((await due(Date.now())).filter(Boolean)).toHaveLength(1);
    expect(await due(Date.now() + DAY / 2)).toEqual([false, false, false]);
    expect((await due(Date.now() + 2 * DAY)).filter(Boolean)).toHaveLength(1);
  });

  test('gives up uploads in parts that nobody completes, and leaves those that are under way', async () => {
    const { CreateMultipartUploadCommand, ListMultipartUploadsCommand } = await import('@aws-sdk/client-s3');
    const location = s3.location();
    const { client, at } = objectsAt(location);
    await client.send(new CreateMultipartUploadCommand(at('images/ada/7a.png')));
    const underWay = async () => {
      const { Uploads = [] } = await client.send(
        new ListMultipartUploadsCommand({ Bucket: location.bucket, Prefix: location.prefix }),
      );
      return Uploads.length;
    };
    await sweepOf(location).sweep(Date.now(), never);
    expect(await underWay()).toBe(1);
    expect(await sweepOf(location).sweep(Date.now() + 2 * DAY, never)).toBe(1);
    expect(await underWay()).toBe(0);
  });
});
