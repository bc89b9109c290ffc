import { AbortMultipartUploadCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { createDigestPointers } from './digest-pointers.ts';
import { storeFault } from './fault.ts';
import type { Objects } from './objects.ts';
import { keys, parsePictureKey } from './picture-keys.ts';
import { createRecords } from './records.ts';
import { decodeRemains } from './remains.ts';

/** So old must be what is removed, in milliseconds: by then no upload is under way on any server that rests on it. */
const OLD = 24 * 60 * 60 * 1000;

/** Its age tells when a server swept last. */
const MARKER = 'swept';

interface Group {
  owner: string;
  id: string;
  record: { bytes: number; modified: Date } | null;
  picture: { key: string; modified: Date } | null;
}

/** Removes what servers that were killed have left in a store that others are writing to. */
export function createLeftoversSweep(objects: Objects, { bucket, prefix }: { bucket: string; prefix: string }) {
  const records = createRecords(objects);
  const pointers = createDigestPointers(objects);

  async function sweepGroup({ owner, id, record, picture }: Group, isOld: (modified: Date) => boolean) {
    if (record === null && picture !== null && isOld(picture.modified)) {
      // The upload was not committed. From here on it cannot be, so that nobody is told of what is about to go.
      const remains = decodeRemains((await objects.head(picture.key))?.metadata ?? {});
      if (remains === null || !(await records.end(remains, null))) return 0;
      await pointers.free(owner, remains.digestKey, id);
      await objects.remove([picture.key]);
      return 1;
    }
    if (record?.bytes !== 0 || !isOld(record.modified)) return 0;
    const ended = await records.read(owner, id);
    if (ended?.state !== 'ended') return 0;
    await pointers.free(owner, ended.record.digestKey, id);
    if (picture !== null) await objects.remove([picture.key]);
    await objects.removeIf(keys.record(owner, id), ended.etag);
    return 1;
  }

  /** What was sent in parts, and neither completed nor given up. */
  async function abortUploads(isOld: (modified: Date) => boolean): Promise<number> {
    let aborted = 0;
    let from: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {};
    for (;;) {
      const command = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...from });
      const page = await objects.client.send(command);
      for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
        if (!isOld(Initiated ?? new Date())) continue;
        await objects.client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }));
        aborted += 1;
      }
      if (!page.IsTruncated) return aborted;
      from = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
    }
  }

  return {
    /** Whether this server is to sweep now: one of all of them, once a day. */
    async isDue(now: number): Promise<boolean> {
      const last = await objects.head(MARKER);
      if (last !== null && now - last.modified.getTime() < OLD) return false;
      const when = last === null ? 'absent' : { etag: last.etag };
      return objects.write(MARKER, new Date(now).toISOString(), { when });
    },

    /** Looks at all keys. @returns how much was removed */
    async sweep(now: number, isStopping: () => boolean): Promise<number> {
      const isOld = (modified: Date) => now - modified.getTime() > OLD;
      let removed = await abortUploads(isOld).catch((error: unknown) => {
        throw storeFault(error);
      });
      let group: Group = { owner: '', id: '', record: null, picture: null };
      for await (const { key, bytes, modified } of objects.list('images/')) {
        if (isStopping()) return removed;
        const found = parsePictureKey(key);
        if (found === null) {
          if (bytes > 0 || !isOld(modified)) continue;
          // A pointer that leads nowhere.
          const pointer = await objects.head(key);
          if (pointer?.bytes !== 0) continue;
          await objects.removeIf(key, pointer.etag);
          removed += 1;
          continue;
        }
        const { owner, id, isRecord } = found;
        if (group.owner !== owner || group.id !== id) {
          removed += await sweepGroup(group, isOld);
          group = { owner, id, record: null, picture: null };
        }
        if (isRecord) group.record = { bytes, modified };
        else group.picture = { key, modified };
      }
      return removed + (await sweepGroup(group, isOld));
    },
  };
}
