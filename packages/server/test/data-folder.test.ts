import { expect, onTestFinished, test } from 'vitest';
import { lockDataFolder } from '../src/adapters/filesystem/data-folder.ts';
import { watchFileCalls } from './file-calls.ts';
import { temporaryFolder } from './test-app.ts';

test('a lock that is not taken leaves no file open, whichever call to the disk fails', async () => {
  const data = await temporaryFolder();
  const held = await lockDataFolder(data);
  onTestFinished(() => held.release());
  const disk = watchFileCalls([data]);
  for (let [nth, failed]: [number, string | null] = [1, '']; failed !== null; nth += 1) {
    disk.fail(nth, 'EIO');
    await expect(lockDataFolder(data)).rejects.toBeInstanceOf(Error);
    failed = disk.mend();
    expect(disk.open(), `${failed}`).toEqual([]);
  }
});
