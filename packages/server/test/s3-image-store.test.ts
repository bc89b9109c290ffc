import { createHash } from 'node:crypto';
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import pLimit from 'p-limit';
import { describe, expect, test } from 'vitest';
import { checkBucket } from '../src/adapters/s3/check-bucket.ts';
import { createS3ImageStore } from '../src/adapters/s3/image-store.ts';
import { createS3PictureCache } from '../src/adapters/s3/picture-cache.ts';
import { keys } from '../src/adapters/s3/picture-keys.ts';
import { uploadFile } from '../src/adapters/s3/upload-file.ts';
import { imageStoreContract, receive, recordOf } from './contracts/image-store.ts';
import { pictureCacheContract } from './contracts/picture-cache.ts';
import { hasS3, keysAt, objectsAt, useEngine } from './s3-store.ts';
import { temporaryFolder } from './test-app.ts';

const s3 = useEngine();

describe.skipIf(!hasS3)('on an S3 engine', { timeout: 60_000 }, () => {
  imageStoreContract('S3', async () => {
    const objects = objectsAt(s3.location());
    const scratch = await temporaryFolder();
    return {
      store: createS3ImageStore({ objects, scratch }),
      scratch,
      lose: (record, what) =>
        objects.remove([what === 'record' ? keys.record(record.owner, record.id) : keys.picture(record)]),
      damage: async ({ owner, id }) => void (await objects.write(keys.record(owner, id), '\0\0')),
      async left() {
        const found: string[] = [];
        // What is empty says that something has ended, and stays for a day.
        for await (const { key, bytes } of objects.list('images/')) if (bytes > 0) found.push(key);
        return found;
      },
    };
  });

  test.each([
    ['whole', 5],
    ['in parts', 40 * 1024 ** 2],
  ])('a file that is sent %s arrives as it is', { timeout: 60_000 }, async (_how, bytes) => {
    const objects = objectsAt(s3.location());
    const content = Buffer.alloc(bytes, 'picture');
    const { path: file } = await receive(await temporaryFolder(), content.toString());
    await uploadFile(objects, 'file', file, { bytes, sha256: null, type: 'image/png' });
    const hash = createHash('sha256');
    for await (const chunk of await objects.open('file')) hash.update(chunk as Buffer);
    expect(hash.digest('hex')).toBe(createHash('sha256').update(content).digest('hex'));
  });

  test('a file that is not what its digest says is refused by the store, and leaves nothing', async () => {
    const objects = objectsAt(s3.location());
    const { path: file } = await receive(await temporaryFolder(), 'other bytes');
    const { sha256 } = recordOf('7a', 'these bytes');
    const upload = uploadFile(objects, 'file', file, { bytes: 11, sha256, type: 'image/png' });
    await expect(upload).rejects.toMatchObject({ cause: { name: 'XAmzContentSHA256Mismatch' } });
    expect(await objects.head('file')).toBeNull();
  });

  test.each([
    ['ahead of', 6],
    ['behind', -6],
  ])('a server whose clock is %s the store’s by minutes does not start', async (word, minutes) => {
    const location = s3.location();
    const at = (of: number) => checkBucket(objectsAt(location), location, Date.now() + of * 60_000);
    await expect(at(minutes)).rejects.toThrow(`6 minutes ${word} that of the S3 store`);
    await at(minutes - Math.sign(minutes) * 2);
    expect(await keysAt(location)).toEqual([]);
  });

  test('a file whose upload in parts fails leaves no parts', async () => {
    const location = s3.location();
    const objects = objectsAt(location);
    let parts = 0;
    objects.client.middlewareStack.add(
      (next, { commandName }) =>
        (args) => {
          if (commandName === 'UploadPartCommand' && (parts += 1) === 2) return Promise.reject(new Error('broken'));
          return next(args);
        },
      { step: 'initialize' },
    );
    const bytes = 40 * 1024 ** 2;
    const { path: file } = await receive(await temporaryFolder(), 'x'.repeat(bytes));
    const upload = uploadFile(objects, 'file', file, { bytes, sha256: null, type: 'image/png' });
    await expect(upload).rejects.toMatchObject({ code: 'storage_unavailable' });
    const { bucket: Bucket, prefix: Prefix } = location;
    const { Uploads = [] } = await objects.client.send(new ListMultipartUploadsCommand({ Bucket, Prefix }));
    expect(Uploads).toEqual([]);
    expect(await objects.head('file')).toBeNull();
  });

  test.each(['if-none-match', 'if-match'])(
    'a store that does not look at %s is refused at the start',
    async (header) => {
      const location = s3.location();
      const objects = objectsAt(location);
      objects.client.middlewareStack.add(
        (next) => (args) => {
          delete (args.request as { headers: Record<string, string> }).headers[header];
          return next(args);
        },
        { step: 'build' },
      );
      await expect(checkBucket(objects, location, Date.now())).rejects.toMatchObject({
        code: 'images_unusable',
        message: expect.stringContaining('does not know conditional writes') as string,
      });
      expect(await keysAt(location)).toEqual([]);
    },
  );

  test('a total of few pictures counts what another server has just stored', async () => {
    const objects = objectsAt(s3.location());
    const store = createS3ImageStore({ objects, scratch: await temporaryFolder() });
    expect(await store.usage('ada')).toEqual({ pictures: 0, bytes: 0 });
    await objects.write('images/ada/71000.png', 'bytes');
    await objects.write('images/ada/71000.json', JSON.stringify(recordOf('71000', '71000')));
    expect(await store.usage('ada')).toEqual({ pictures: 1, bytes: 5 });
  });

  test(
    'a page of a list costs the same however much there is, and the totals are counted once',
    { timeout: 60_000 },
    async () => {
      const objects = objectsAt(s3.location());
      const ids = Array.from({ length: 700 }, (_, at) => `7${at + 1000}`);
      await pLimit(40).map(ids, async (id) => {
        await objects.write(`images/ada/${id}.json`, JSON.stringify(recordOf(id, id)));
        await objects.write(`images/ada/${id}.png`, id);
      });
      const asked: string[] = [];
      objects.client.middlewareStack.add(
        (next, { commandName = '' }) =>
          (args) => {
            asked.push(commandName);
            return next(args);
          },
        { step: 'initialize' },
      );
      const requests = async (work: () => Promise<unknown>) => {
        asked.length = 0;
        await work();
        return [asked.filter((name) => name.startsWith('List')).length, asked.length];
      };
      const store = createS3ImageStore({ objects, scratch: await temporaryFolder() });
      expect(await requests(() => store.list('ada', null, 50))).toEqual([1, 51]);
      expect(await requests(() => store.list('ada', '71600', 50))).toEqual([1, 51]);
      expect((await store.list('ada', '71600', 50)).next).toBe('71650');
      expect(await requests(() => store.usage('ada'))).toEqual([2, 2]);
      expect(await requests(() => store.usage('ada'))).toEqual([0, 0]);
      expect(await store.usage('ada')).toEqual({ pictures: 700, bytes: 3500 });
      await store.deleteOwner('ada');
      expect(await store.usage('ada')).toEqual({ pictures: 0, bytes: 0 });
    },
  );

  pictureCacheContract('S3', async () =>
    createS3PictureCache({ objects: objectsAt(s3.location()), scratch: await temporaryFolder() }),
  );
});
