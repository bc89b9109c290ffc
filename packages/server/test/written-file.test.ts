import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createWrittenFile } from '../src/adapters/filesystem/written-file.ts';
import { watchFileCalls } from './file-calls.ts';
import { temporaryFolder } from './test-app.ts';

test.each([null, 'EIO'])('a file is closed by its fsync (which fails with %s), and once', async (code) => {
  const folder = await temporaryFolder();
  const disk = watchFileCalls([folder]);
  const handle = await open(join(folder, 'received'), 'wx');
  const file = createWrittenFile(join(folder, 'received'), handle);
  if (code !== null) disk.fail(1, code);
  const outcome = await file.sync().catch((error: NodeJS.ErrnoException) => error.code);
  expect(outcome ?? null).toBe(code);
  // Windows would not rename it otherwise.
  expect(disk.open()).toEqual([]);
  disk.mend();
  disk.fail(1, 'EBADF');
  await file.close();
  expect(disk.mend()).toBeNull();
});

test('a file that cannot be closed is given up all the same', async () => {
  const folder = await temporaryFolder();
  const disk = watchFileCalls([folder]);
  const file = createWrittenFile(join(folder, 'received'), await open(join(folder, 'received'), 'wx'));
  disk.fail(1, 'EIO');
  await file.close();
  expect(disk.mend()).toMatch(/^close /);
});

test('a file is fsynced once, whoever asks, and not closed before that has ended', async () => {
  const folder = await temporaryFolder();
  const disk = watchFileCalls([folder]);
  const file = createWrittenFile(join(folder, 'received'), await open(join(folder, 'received'), 'wx'));
  let answer: () => void = () => undefined;
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  disk.fail(1, 'EIO', 1, answered);
  const asked = [file.sync(), file.sync()];
  const closed = file.close().then(() => 'closed');
  expect(await Promise.race([closed, Promise.allSettled(asked), delay(50)])).toBeUndefined();
  expect(disk.open()).toHaveLength(1);
  answer();
  for (const result of await Promise.allSettled(asked)) expect(result).toMatchObject({ reason: { code: 'EIO' } });
  expect(await closed).toBe('closed');
  expect(disk.open()).toEqual([]);
});
