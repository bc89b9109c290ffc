import type { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { statusOf, storeFault } from './fault.ts';
import { patienceFor, withDeadline } from './with-deadline.ts';

type Metadata = Record<string, string>;

export interface Stored {
  bytes: number;
  etag: string;
  metadata: Metadata;
  modified: Date;
}

/** What must be so for a write to happen: nothing is there yet, or still what had this ETag. */
export type Condition = 'absent' | { etag: string };

export interface Entry {
  key: string;
  bytes: number;
  modified: Date;
}

export interface WriteOptions {
  when?: Condition;
  metadata?: Metadata;
  /** Milliseconds that it may take; otherwise as long as any other request. */
  patience?: number;
}

export interface ListOptions {
  after?: string;
  /** Leaves out what lies in folders below the prefix. */
  flat?: boolean;
}

/**
 * What a conditional write is refused with: 412; 409 where somebody is writing at this moment; 404 where what had the ETag
 * is gone; and 500 by older versions of Ceph. Whoever tries again looks first, so a fault that is none of this ends there.
 */
const CONFLICTS = [404, 409, 412, 500];

/** A reader may be slow without the store being so: as long as the server bears with one that does not read. */
const READ_IDLE = 75_000;

/** As many keys as one request can remove. */
const REMOVE_AT_ONCE = 1000;

export type Objects = ReturnType<typeof createObjects>;

/**
 * The objects below a prefix of a bucket. Every request is bounded in time and tried again on faults that may pass.
 *
 * All throw AppError `storage_unavailable` or `storage_full` where the store fails.
 */
export function createObjects(client: S3Client, Bucket: string, prefix: string) {
  const at = (key: string) => ({ Bucket, Key: prefix + key });

  async function bounded<T>(work: (abortSignal: AbortSignal) => Promise<T>, patience = patienceFor(0)): Promise<T> {
    return withDeadline(patience, work).catch((error: unknown) => {
      throw storeFault(error);
    });
  }

  async function unlessMissing<T>(work: (abortSignal: AbortSignal) => Promise<T>): Promise<T | null> {
    return bounded((abortSignal) =>
      work(abortSignal).catch((error: unknown) => {
        if (statusOf(error) === 404 && (error as Error).name !== 'NoSuchBucket') return null;
        throw error;
      }),
    );
  }

  return {
    client,
    at,

    /** A small object as text. */
    read(key: string): Promise<{ text: string; etag: string; metadata: Metadata } | null> {
      return unlessMissing(async (abortSignal) => {
        const { Body, ETag = '', Metadata = {} } = await client.send(new GetObjectCommand(at(key)), { abortSignal });
        return { text: (await Body?.transformToString()) ?? '', etag: ETag, metadata: Metadata };
      });
    },

    head(key: string): Promise<Stored | null> {
      return unlessMissing(async (abortSignal) => {
        const found = await client.send(new HeadObjectCommand(at(key)), { abortSignal });
        const { ContentLength = 0, ETag = '', Metadata = {}, LastModified = new Date(0) } = found;
        return { bytes: ContentLength, etag: ETag, metadata: Metadata, modified: LastModified };
      });
    },

    /**
     * @param range the first and the last byte, both included
     * @param idle how long nothing need arrive, in milliseconds
     */
    async open(key: string, range?: { start: number; end: number }, idle = READ_IDLE): Promise<Readable> {
      const Range = range && `bytes=${range.start}-${range.end}`;
      const command = new GetObjectCommand({ ...at(key), ...(Range && { Range }) });
      const { Body } = await bounded((abortSignal) => client.send(command, { abortSignal }));
      // The SDK types it for browsers too.
      const body = Body as Readable & { socket?: { setTimeout(ms: number): void } };
      body.socket?.setTimeout(idle);
      return body;
    },

    /** Writes a small object. @returns false where the condition does not hold, and nothing was written */
    write(key: string, text: string, { when, metadata, patience }: WriteOptions = {}): Promise<boolean> {
      const command = new PutObjectCommand({
        ...at(key),
        Body: text,
        ContentLength: Buffer.byteLength(text),
        ContentType: 'application/json',
        ...(metadata && { Metadata: metadata }),
        ...(when === 'absent' ? { IfNoneMatch: '*' } : when && { IfMatch: bare(when.etag) }),
      });
      return bounded(async (abortSignal) => {
        try {
          await client.send(command, { abortSignal });
          return true;
        } catch (error) {
          if (when !== undefined && CONFLICTS.includes(statusOf(error) ?? 0)) return false;
          throw error;
        }
      }, patience);
    },

    /** Those that are not there are no error. */
    async remove(keys: string[]): Promise<void> {
      const [only] = keys;
      if (only !== undefined && keys.length === 1) {
        await bounded((abortSignal) => client.send(new DeleteObjectCommand(at(only)), { abortSignal }));
        return;
      }
      for (let start = 0; start < keys.length; start += REMOVE_AT_ONCE) {
        const some = keys.slice(start, start + REMOVE_AT_ONCE).map((key) => ({ Key: prefix + key }));
        const command = new DeleteObjectsCommand({ Bucket, Delete: { Objects: some, Quiet: true } });
        const { Errors: [failed] = [] } = await bounded((abortSignal) => client.send(command, { abortSignal }));
        if (failed) throw storeFault(new Error(`${failed.Key} cannot be removed: ${failed.Code} ${failed.Message}`));
      }
    },

    /** Removes what has this ETag. Engines that do not look at the condition remove whatever is there. */
    async removeIf(key: string, etag: string): Promise<void> {
      await unlessMissing(async (abortSignal) => {
        const command = new DeleteObjectCommand({ ...at(key), IfMatch: bare(etag) });
        await client.send(command, { abortSignal }).catch((error: unknown) => {
          if (![409, 412].includes(statusOf(error) ?? 0)) throw error;
        });
      });
    },

    /** In alphabetical order, 1,000 a request, as far as they are asked for. */
    async *list(below: string, { after, flat = false }: ListOptions = {}): AsyncGenerator<Entry> {
      let token: string | undefined;
      do {
        const command = new ListObjectsV2Command({
          Bucket,
          Prefix: prefix + below,
          ...(token === undefined
            ? after !== undefined && { StartAfter: prefix + after }
            : { ContinuationToken: token }),
          ...(flat && { Delimiter: '/' }),
        });
        const page = await bounded((abortSignal) => client.send(command, { abortSignal }));
        for (const { Key = '', Size = 0, LastModified = new Date(0) } of page.Contents ?? []) {
          yield { key: Key.slice(prefix.length), bytes: Size, modified: LastModified };
        }
        token = page.IsTruncated ? page.NextContinuationToken : undefined;
      } while (token !== undefined);
    },
  };
}

/** Older versions of Ceph compare what is sent with what they have stored, which is without quotes; AWS takes both. */
function bare(etag: string): string {
  return etag.replaceAll('"', '');
}
