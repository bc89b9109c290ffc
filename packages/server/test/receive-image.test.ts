import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { openCacheFolder } from '../src/adapters/filesystem/cache-folder.ts';
import { openIncoming } from '../src/adapters/filesystem/incoming.ts';
import { createMetadataStripper } from '../src/adapters/metadata/strip-metadata.ts';
import type { PictureDecoder } from '../src/ports/picture-decoder.ts';
import { createReceiveImage } from '../src/services/receive-image.ts';
import { createSmallVersions } from '../src/services/small-versions.ts';
import { watchFileCalls } from './file-calls.ts';
import { openStore } from './filesystem-store.ts';
import { temporaryFolder } from './test-app.ts';

test('an upload that waits for a decoder has the file open that it will store, and no other', async () => {
  const { store } = await openStore();
  const folder = await temporaryFolder();
  const disk = watchFileCalls([folder]);
  let whileChecked: string[] = [];
  const decoder: PictureDecoder = {
    makesSmallVersion: false,
    check() {
      whileChecked = disk.open();
      return Promise.resolve({ width: 8, height: 8, frames: 1 });
    },
    shrink: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
  const now = () => 0;
  const cache = await openCacheFolder(join(folder, 'cache'), 1e6);
  const { receive } = createReceiveImage({
    store,
    incoming: await openIncoming(join(folder, 'incoming')),
    createStripper: createMetadataStripper,
    decoder,
    smallVersions: createSmallVersions({ store, cache, decoder, now }),
    isUser: () => Promise.resolve(true),
    maxBytes: 1e6,
    quota: null,
    now,
  });
  const picture = join(await temporaryFolder(), 'picture.jpg');
  const plain = sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } }).jpeg();
  await writeFile(picture, await plain.withExif({ IFD0: { Artist: 'ada' } }).toBuffer());
  const source = createReadStream(picture);
  const rest = { owner: 'ada', name: null, expectedSha256: null, expiresIn: null };
  await receive({ ...rest, source, keepMetadata: false });
  expect(whileChecked).toEqual([expect.stringMatching(/\.clean$/)]);
  expect(disk.open()).toEqual([]);
});
