import { describe } from 'vitest';
import { createS3ImageStore } from '../src/adapters/s3/image-store.ts';
import { createS3PictureCache } from '../src/adapters/s3/picture-cache.ts';
import { keys } from '../src/adapters/s3/picture-keys.ts';
import { imageStoreContract } from './contracts/image-store.ts';
import { pictureCacheContract } from './contracts/picture-cache.ts';
import { hasS3, objectsAt, useEngine } from './s3-store.ts';
import { temporaryFolder } from './test-app.ts';

const s3 = useEngine();

describe.skipIf(!hasS3)('on an S3 engine', () => {
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

  pictureCacheContract('S3', async () =>
    createS3PictureCache({ objects: objectsAt(s3.location()), scratch: await temporaryFolder() }),
  );
});
