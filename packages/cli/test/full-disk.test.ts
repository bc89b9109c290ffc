import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { withLock } from '../src/credentials/lock.ts';
import { createSettings } from '../src/settings.ts';
import { temporaryFolder } from './world.ts';

const disk = vi.hoisted(() => {
  const found = {
    full: false,
    write: () => {
      if (found.full) throw Object.assign(new Error('EDQUOT: quota exceeded, write'), { code: 'EDQUOT' });
    },
  };
  return found;
});
vi.mock('write-file-atomic', () => ({ default: async () => disk.write() }));
vi.mock(import('../src/credentials/private-folder.ts'), async (original) => {
  const { privateFolder, isForeign } = await original();
  return {
    isForeign,
    privateFolder: async (...args) => {
      disk.write();
      return privateFolder(...args);
    },
  };
});

test('a lock that a full disk has no room for is said so, with the right way out', async () => {
  const folder = await temporaryFolder();
  disk.full = true;
  await expect(withLock(join(folder, 'x.lock'), { timeoutMs: 1 }, async () => 1)).rejects.toMatchObject({
    code: 'not-writable',
    message: `The disk has no room in the folder ${folder} (EDQUOT); make room there and try again.`,
  });
});

test('settings that a full disk has no room for are said so, with the right way out', async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, 'locks'));
  const path = join(folder, 'config.json');
  disk.full = false;
  const updating = createSettings(path).update((data) => {
    disk.full = true;
    return { ...data, format: 'url' };
  });
  await expect(updating).rejects.toMatchObject({
    message: `${path} cannot be written: the disk is full (EDQUOT); make room there and try again.`,
  });
});
