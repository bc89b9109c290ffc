import { open, type FileHandle } from 'node:fs/promises';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
  type CompletedPart,
} from '@aws-sdk/client-s3';
import pLimit from 'p-limit';
import { storeFault } from './fault.ts';
import type { Objects } from './objects.ts';
import { withDeadline } from './with-deadline.ts';

/** Larger files are sent in parts, so that a fault costs one of them and not all. S3 takes 10,000 of 5 MB and more. */
const PART_BYTES = 16 * 1024 * 1024;

const PARTS_AT_ONCE = 2;

interface UploadOptions {
  bytes: number;
  /** Hex; the store refuses bytes that do not match. Null: not known. */
  sha256: string | null;
  type: string;
  metadata?: Record<string, string>;
}

/** Streams a file into an object. What fails leaves none, and no parts of one where the store lets them be removed. */
export async function uploadFile({ client, at }: Objects, key: string, path: string, options: UploadOptions) {
  const { bytes, sha256, type, metadata = {} } = options;
  const target = { ...at(key), ContentType: type, Metadata: metadata };

  async function sendWhole(file: FileHandle): Promise<void> {
    const command = new PutObjectCommand({ ...target, ContentLength: bytes });
    command.middlewareStack.add(streamFile(file, 0, bytes), STREAM_FILE);
    if (sha256 !== null) {
      command.middlewareStack.add(
        (next) => (args) => {
          (args.request as Sent).headers['x-amz-content-sha256'] = sha256;
          return next(args);
        },
        { step: 'build', name: 'vouchForBody' },
      );
    }
    await withDeadline(bytes, (abortSignal) => client.send(command, { abortSignal }));
  }

  async function sendParts(file: FileHandle): Promise<void> {
    const { UploadId } = await withDeadline(0, (abortSignal) =>
      client.send(new CreateMultipartUploadCommand(target), { abortSignal }),
    );
    const upload = { ...at(key), UploadId };
    const limit = pLimit(PARTS_AT_ONCE);
    const ended = new AbortController();
    const sendPart = async (index: number): Promise<CompletedPart> => {
      const start = index * PART_BYTES;
      const length = Math.min(PART_BYTES, bytes - start);
      const command = new UploadPartCommand({ ...upload, PartNumber: index + 1, ContentLength: length });
      command.middlewareStack.add(streamFile(file, start, length), STREAM_FILE);
      const { ETag } = await withDeadline(length, (deadline) =>
        client.send(command, { abortSignal: AbortSignal.any([deadline, ended.signal]) }),
      );
      return { ETag, PartNumber: index + 1 };
    };
    const parts = Array.from({ length: Math.ceil(bytes / PART_BYTES) }, (_, index) => limit(sendPart, index));
    try {
      const Parts = await Promise.all(parts);
      const command = new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } });
      await withDeadline(bytes, (abortSignal) => client.send(command, { abortSignal }));
    } catch (error) {
      ended.abort();
      // Those that were being sent read from the file, and would come after the removal.
      await Promise.allSettled(parts);
      // Where this fails too, the sweep removes them.
      await withDeadline(0, (abortSignal) =>
        client.send(new AbortMultipartUploadCommand(upload), { abortSignal }),
      ).catch(() => undefined);
      throw error;
    }
  }

  const file = await open(path, 'r');
  try {
    await (bytes > PART_BYTES ? sendParts(file) : sendWhole(file));
  } catch (error) {
    throw storeFault(error);
  } finally {
    await file.close();
  }
}

interface Sent {
  headers: Record<string, string>;
  body?: unknown;
}

const STREAM_FILE = { step: 'finalizeRequest', priority: 'low', name: 'streamFile' } as const;

/**
 * Gives each try of a command a stream of its own: the SDK tries no command again whose body is one, because it cannot
 * be read twice.
 */
function streamFile(file: FileHandle, start: number, length: number) {
  return <Args extends { request: unknown }, Output>(next: (args: Args) => Promise<Output>) =>
    async (args: Args): Promise<Output> => {
      const body = file.createReadStream({ start, end: start + length - 1, autoClose: false });
      const broken = new Promise<never>((_resolve, reject) => body.once('error', reject));
      try {
        (args.request as Sent).body = body;
        return await Promise.race([next(args), broken]);
      } finally {
        body.destroy();
      }
    };
}
