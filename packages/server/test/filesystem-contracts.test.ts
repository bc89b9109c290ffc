import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openCacheFolder } from '../src/adapters/filesystem/cache-folder.ts';
import { openFilesystemImageStore } from '../src/adapters/filesystem/image-store.ts';
import { imageStoreContract } from './contracts/image-store.ts';
import { pictureCacheContract } from './contracts/picture-cache.ts';
import { temporaryFolder } from './test-app.ts';

imageStoreContract('filesystem', async () => {
  const data = await temporaryFolder();
  const scratch = join(data, 'incoming');
  await mkdir(scratch);
  const pathOf = (owner: string, name: string) => join(data, 'images', owner, name);
  return {
    store: await openFilesystemImageStore(data),
    scratch,
    lose: ({ owner, id, extension }, what) => rm(pathOf(owner, `${id}.${what === 'record' ? 'json' : extension}`)),
    damage: ({ owner, id }) => writeFile(pathOf(owner, `${id}.json`), '\0\0'),
    async left() {
      const entries = await readdir(join(data, 'images'), { recursive: true, withFileTypes: true });
      return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
    },
  };
});

pictureCacheContract('filesystem', async () => openCacheFolder(await temporaryFolder(), 1024 ** 2));
