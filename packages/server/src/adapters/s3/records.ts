import { AppError } from '../../errors.ts';
import type { ImageRecord } from '../../ports/image-store.ts';
import type { Objects } from './objects.ts';
import { keys } from './picture-keys.ts';
import { decodeRemains, encodeRemains } from './remains.ts';

/** A record as it is stored: `there`, or `ended` where its picture was removed or is being removed. */
interface StoredRecord {
  state: 'there' | 'ended';
  record: ImageRecord;
  etag: string;
}

export type Records = ReturnType<typeof createRecords>;

/**
 * The records of pictures. One key decides of each picture for all servers: absent, then there, then ended, each step by
 * a conditional write, so that of several servers one takes it and the others see it. An ended record stays for a day as
 * an empty object, so that no upload that is still under way somewhere can bring the picture back.
 */
export function createRecords(objects: Objects) {
  return {
    async read(owner: string, id: string): Promise<StoredRecord | null> {
      const key = keys.record(owner, id);
      const found = await objects.read(key);
      if (found === null) return null;
      const { text, etag, metadata } = found;
      if (text !== '') return { state: 'there', record: parse(text, key), etag };
      const record = decodeRemains(metadata);
      if (record === null) throw damaged(key);
      return { state: 'ended', record, etag };
    },

    /** Commits an upload. @returns false where there is such a record already, ended or not */
    commit(record: ImageRecord): Promise<boolean> {
      return objects.write(keys.record(record.owner, record.id), JSON.stringify(record), { when: 'absent' });
    },

    /** @returns false where it is not any more what was read */
    replace(record: ImageRecord, etag: string): Promise<boolean> {
      return objects.write(keys.record(record.owner, record.id), JSON.stringify(record), { when: { etag } });
    },

    /** Ends a picture for everybody. @param etag what was read; null: nothing. @returns false where that has changed */
    end(record: ImageRecord, etag: string | null): Promise<boolean> {
      const when = etag === null ? 'absent' : { etag };
      return objects.write(keys.record(record.owner, record.id), '', { when, metadata: encodeRemains(record) });
    },
  };
}

function parse(text: string, key: string): ImageRecord {
  try {
    return JSON.parse(text) as ImageRecord;
  } catch (error) {
    throw damaged(key, error);
  }
}

function damaged(key: string, error?: unknown): AppError {
  const cause = new Error(`${key} is damaged: restore an earlier version of it, or remove it`, { cause: error });
  return new AppError('storage_unavailable', 'The record of this picture is damaged. Tell the server’s owner.', {
    cause,
  });
}
