// The short forms of `npm run torture`: of what needs a process of its own, too little to wait for.
import { readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { LoginResponse } from '@imgup/shared';
import { createApp, readConfig, startServer } from '@imgup/server';
import { describe, expect, onTestFinished, test } from 'vitest';
import { abortUploads, descriptorsOf, filesBelow } from '../../../torture/abort-uploads.js';
import { json } from '../../../torture/clients.js';
import { cutPowerInMemory } from '../../../torture/cut-power-in-memory.js';
import { makePicture } from './pictures.ts';
import { openApp, PASSWORD, refusal, temporaryFolder } from './test-app.ts';
import { eventually } from './eventually.ts';

const UNLIMITED = { uploads: 1_000_000, windowMs: 60_000 };

describe('on a disk that forgets what was not fsynced', () => {
  async function cutPower(cuts: number, ignore: 'files' | 'folders' | null) {
    return cutPowerInMemory({ folder: await temporaryFolder(), createApp, cuts, milliseconds: 500, ignore });
  }

  test('what was acknowledged survives a power cut, and one after a kill', async () => {
    const { faults, figures } = await cutPower(8, null);
    expect(faults).toEqual([]);
    expect(figures.checked).toBeGreaterThan(figures.cuts);
  }, 60_000);

  // Shows that the test above would see it.
  test.each(['files', 'folders'] as const)(
    'fsyncs of %s are missed where they have no effect',
    async (ignore) => {
      const { faults } = await cutPower(2, ignore);
      expect(faults).not.toEqual([]);
    },
    60_000,
  );
});

test('uploads whose clients go away leave neither descriptors nor files', async () => {
  const data = join(await temporaryFolder(), 'data');
  const config = readConfig({ flags: { data, port: '0' }, env: {} });
  const server = await startServer({ ...config, passwordCost: 4, minFree: 0, uploadLimit: UNLIMITED });
  onTestFinished(() => server.close());
  const { headers, ...register } = json({ username: 'ada', password: PASSWORD });
  const init = { ...register, headers: { ...headers, Connection: 'close' } };
  const answer = await fetch(`${server.url}/api/register`, init);
  const { access_token: token } = (await answer.json()) as LoginResponse;
  const port = Number(new URL(server.url).port);
  const look = async () => {
    const [files, descriptors] = [await filesBelow(data), await descriptorsOf(process.pid)];
    // The accounts' own file is written now and then, and the one before it kept.
    const isWriting = files.some((file) => basename(file) === 'db.json.next');
    return { files: files.filter((file) => !basename(file).startsWith('db.json')), descriptors, isWriting };
  };
  // The first ones open what stays open for good, a decoder among it.
  const authorization = `Bearer ${token}`;
  const whole = { method: 'POST', headers: { authorization, Connection: 'close' }, body: await makePicture() };
  expect((await fetch(`${server.url}/api/images`, whole)).status).toBe(201);
  await abortUploads({ port, token, count: 5 });
  let before = await look();
  await eventually(async () => {
    const last = before;
    before = await look();
    expect(before).toEqual(last);
    expect(before.isWriting).toBe(false);
    expect(before.files.filter((file) => file.includes('incoming'))).toEqual([]);
  });
  await abortUploads({ port, token, count: 50 });
  await eventually(async () => {
    const { descriptors, ...after } = await look();
    expect(after).toEqual({ files: before.files, isWriting: false });
    // Fewer where a worker has been idle meanwhile.
    expect(descriptors ?? 0).toBeLessThanOrEqual(before.descriptors ?? 0);
  });
}, 60_000);

test('drafts of the secret file that a killed server has left are swept at the start, and no other file', async () => {
  const app = await openApp();
  await app.close();
  const before = await readdir(app.data);
  await writeFile(join(app.data, `secret.${crypto.randomUUID()}`), 'half');
  await writeFile(join(app.data, 'secret.old'), 'put there by a person');
  await openApp({ data: app.data });
  expect((await readdir(app.data)).toSorted()).toEqual([...before, 'secret.old'].toSorted());
});

test('uploads at once do not eat into the reserve of the disk together', async () => {
  const { statfs } = await import('node:fs/promises');
  const folder = await temporaryFolder();
  const { bavail, bsize } = await statfs(folder);
  // Of twenty uploads of unknown length, the disk has room for a few of the largest size, and 200 MB for whatever else
  // this machine does meanwhile.
  const maxBytes = 200 * 1024 * 1024;
  const app = await openApp({ minFree: bavail * bsize - 5 * maxBytes, maxBytes, uploadLimit: UNLIMITED });
  const { access_token: token } = await app.register('ada');
  const open: ReadableStreamDefaultController[] = [];
  const body = () => new ReadableStream({ start: (controller) => void open.push(controller) });
  const answers = Array.from({ length: 20 }, () => app.upload(token, body()));
  const first = await Promise.race(answers);
  expect(await refusal(first)).toBe('507 storage_full');
  for (const controller of open) controller.close();
  const statuses = await Promise.all(answers.map(async (answer) => (await answer).status));
  expect(new Set(statuses)).toEqual(new Set([400, 507]));
  expect((await app.upload(token, await makePicture())).status).toBe(201);
});
