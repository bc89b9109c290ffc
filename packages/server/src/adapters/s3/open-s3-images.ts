import type { StorageProbe } from '../../ports/storage-probe.ts';
import { checkBucket } from './check-bucket.ts';
import { connectS3 } from './connect.ts';
import { createDirectLinks } from './direct-links.ts';
import { createS3ImageStore } from './image-store.ts';
import { createObjects } from './objects.ts';
import { createS3PictureCache } from './picture-cache.ts';
import type { S3Location } from './s3-location.ts';
import { createS3StorageProbe } from './storage-probe.ts';
import { createLeftoversSweep } from './sweep-leftovers.ts';

interface OpenS3ImagesOptions {
  location: S3Location;
  /** A folder for files that are needed for a moment, swept at the start. */
  scratch: string;
  /** Of the disk that it is on. */
  disk: StorageProbe;
  now: () => number;
}

/** @throws StartError `images_unusable` where the bucket cannot be used */
export async function openS3Images({ location, scratch, disk, now }: OpenS3ImagesOptions) {
  const client = connectS3(location);
  const objects = createObjects(client, location.bucket, location.prefix);
  try {
    // The store goes by real time, whatever the server is told in a test.
    await checkBucket(objects, location, Date.now());
  } catch (error) {
    client.destroy();
    throw error;
  }
  return {
    store: createS3ImageStore({ objects, scratch }),
    cache: createS3PictureCache({ objects, scratch }),
    links: createDirectLinks(objects),
    probe: createS3StorageProbe({ objects, disk, now }),
    leftovers: createLeftoversSweep(objects, location),
    close: () => {
      client.destroy();
    },
  };
}
