import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ImageRecord } from '../../ports/image-store.ts';
import type { PictureArchive } from '../../ports/picture-archive.ts';
import { checkBucket } from './check-bucket.ts';
import { connectS3 } from './connect.ts';
import { createExpiryCalendar } from './expiry-calendar.ts';
import { createObjects } from './objects.ts';
import { keys, parsePictureKey } from './picture-keys.ts';
import { encodeRemains } from './remains.ts';
import type { S3Location } from './s3-location.ts';
import { uploadFile } from './upload-file.ts';

/**
 * The pictures of an S3 store one by one.
 *
 * @param scratch a folder for files that are needed for a moment
 * @throws StartError `images_unusable`
 */
export async function openS3Archive(location: S3Location, scratch: string): Promise<PictureArchive> {
  const client = connectS3(location);
  const objects = createObjects(client, location.bucket, location.prefix);
  const calendar = createExpiryCalendar(objects);
  try {
    await checkBucket(objects, location, Date.now());
  } catch (error) {
    client.destroy();
    throw error;
  }

  async function* recordsBelow(prefix: string): AsyncGenerator<{ owner: string; id: string }> {
    for await (const { key, bytes } of objects.list(prefix)) {
      const found = parsePictureKey(key);
      // An empty one is of a picture that was removed.
      if (found?.isRecord && bytes > 0) yield found;
    }
  }

  async function open(record: ImageRecord) {
    const key = keys.picture(record);
    return (await objects.head(key)) === null ? null : objects.open(key);
  }

  return {
    place: `s3://${location.bucket}/${location.prefix}`,

    async owners() {
      const owners = new Set<string>();
      for await (const { owner } of recordsBelow('images/')) owners.add(owner);
      return [...owners].toSorted();
    },

    async ids(owner) {
      const ids: string[] = [];
      for await (const { id } of recordsBelow(keys.ofOwner(owner))) ids.push(id);
      return ids.toSorted();
    },

    async readRecord(owner, id) {
      const found = await objects.read(keys.record(owner, id));
      return found === null || found.text === '' ? null : found.text;
    },

    open,

    async withFile(record, work) {
      const content = await open(record);
      if (content === null) return work(null);
      const path = join(scratch, randomUUID());
      try {
        await pipeline(content, createWriteStream(path, { mode: 0o600 }));
        return await work(path);
      } finally {
        await rm(path, { force: true });
      }
    },

    async put(record, text, file, isPointedAt) {
      const { owner, id, digestKey, bytes, sha256, type, expiresAt } = record;
      if (expiresAt !== null) await calendar.add(owner, id, expiresAt);
      await uploadFile(objects, keys.picture(record), file, { bytes, sha256, type, metadata: encodeRemains(record) });
      if (isPointedAt) await objects.write(keys.pointer(owner, digestKey), id);
      await objects.write(keys.record(owner, id), text);
    },

    close: () => {
      client.destroy();
    },
  };
}
