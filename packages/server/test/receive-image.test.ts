import { join } from 'node:path';
import { Readable } from 'node:stream';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { openCacheFolder } from '../src/adapters/filesystem/cache-folder.ts';
import { openIncoming } from '../src/adapters/filesystem/incoming.ts';
import { createMetadataStripper } from '../src/adapters/metadata/strip-metadata.ts';
import type { KnownPart } from '../src/ports/incoming.ts';
import type { PictureDecoder } from '../src/ports/picture-decoder.ts';
import { createReceiveImage } from '../src/services/receive-image.ts';
import { createSmallVersions } from '../src/services/small-versions.ts';
import { watchFileCalls } from './file-calls.ts';
import { openStore } from './filesystem-store.ts';
import { temporaryFolder } from './test-app.ts';

test('an upload that waits for a decoder has the file open that it will store, and no other; that is what is checked', async () => {
  const { store } = await openStore();
  const folder = await temporaryFolder();
  const disk = watchFileCalls([folder]);
  const calls: string[] = [];
  let whileChecked: string[] = [];
  let checked: KnownPart[] | undefined;
  const decoder: PictureDecoder = {
    makesSmallVersion: false,
    wake: () => calls.push('wake'),
    check(path, _small, known) {
      calls.push('check');
      whileChecked = disk.open();
      // What a check takes is time for the disk.
      expect([...disk.synced.keys()]).toContain(path);
      checked = known;
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
  const plain = sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } }).jpeg();
  const picture = await plain.withExif({ IFD0: { Artist: 'ada' } }).toBuffer();
  const send = (keepMetadata: boolean) => {
    const source = Readable.from([picture]);
    return receive({ owner: 'ada', source, name: null, expectedSha256: null, keepMetadata, expiresIn: null });
  };
  await send(false);
  expect(whileChecked).toEqual([expect.stringMatching(/\.clean$/)]);
  // What was received is not what is stored.
  expect(checked).toEqual([]);
  await send(true);
  expect(whileChecked).toEqual([expect.not.stringMatching(/\.clean$/)]);
  expect(checked).toEqual([{ at: 0, bytes: picture }]);
  expect(calls).toEqual(['wake', 'check', 'wake', 'check']);
  const text = Readable.from([Buffer.from('no picture at all')]);
  const refused = {
    owner: 'ada',
    source: text,
    name: null,
    expectedSha256: null,
    keepMetadata: false,
    expiresIn: null,
  };
  await expect(receive(refused)).rejects.toMatchObject({ code: 'image_type_unsupported' });
  expect(calls).toHaveLength(4);
  expect(disk.open()).toEqual([]);
});
