import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
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
import { patienceFor, withDeadline } from './with-deadline.ts';

/** Larger files are sent in parts, so that a fault costs one of them and not all. S3 takes 10,000 of 5 MB and more. */
const PART_BYTES = 16 * 1024 * 1024;

const PARTS_AT_ONCE = 2;

interface UploadOptions {
  bytes: number;
  /** Hex; null: not known. */
  sha256: string | null;
  type: string;
  metadata?: Record<string, string>;
}

/**
 * Streams a file into an object. The store is told the digest of whatever is sent, and refuses bytes that do not match.
 * What fails leaves no object, and no parts of one where the store lets them be removed.
 */
export async function uploadFile({ client, at }: Objects, key: string, path: string, options: UploadOptions) {
  const { bytes, sha256, type, metadata = {} } = options;
  const target = { ...at(key), ContentType: type, Metadata: metadata };

  async function sendWhole(): Promise<void> {
    const command = new PutObjectCommand({ ...target, ContentLength: bytes });
    command.middlewareStack.addRelativeTo(await bodyOf(path, 0, bytes, sha256), WITHIN_RETRIES);
    await withDeadline(patienceFor(bytes), (abortSignal) => client.send(command, { abortSignal }));
  }

  async function sendParts(): Promise<void> {
    const { UploadId } = await withDeadline(patienceFor(0), (abortSignal) =>
      client.send(new CreateMultipartUploadCommand(target), { abortSignal }),
    );
    const upload = { ...at(key), UploadId };
    const limit = pLimit(PARTS_AT_ONCE);
    const ended = new AbortController();
    const sendPart = async (index: number): Promise<CompletedPart> => {
      const start = index * PART_BYTES;
      const length = Math.min(PART_BYTES, bytes - start);
      const command = new UploadPartCommand({ ...upload, PartNumber: index + 1, ContentLength: length });
      command.middlewareStack.addRelativeTo(await bodyOf(path, start, length, null), WITHIN_RETRIES);
      const { ETag } = await withDeadline(patienceFor(length), (deadline) =>
        client.send(command, { abortSignal: AbortSignal.any([deadline, ended.signal]) }),
      );
      return { ETag, PartNumber: index + 1 };
    };
    const parts = Array.from({ length: Math.ceil(bytes / PART_BYTES) }, (_, index) => limit(sendPart, index));
    try {
      const Parts = await Promise.all(parts);
      const command = new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } });
      await withDeadline(patienceFor(bytes), (abortSignal) => client.send(command, { abortSignal }));
    } catch (error) {
      ended.abort();
      // A part that was still being sent would come after the removal of the others.
      await Promise.allSettled(parts);
      // Where this fails too, the sweep removes them.
      await withDeadline(patienceFor(0), (abortSignal) =>
        client.send(new AbortMultipartUploadCommand(upload), { abortSignal }),
      ).catch(() => undefined);
      throw error;
    }
  }

  try {
    await (bytes > PART_BYTES ? sendParts() : sendWhole());
  } catch (error) {
    throw storeFault(error);
  }
}

const WITHIN_RETRIES = { name: 'sendFile', relation: 'before', toMiddleware: 'httpSigningMiddleware' } as const;

interface Request {
  headers: Record<string, string>;
  body?: unknown;
}

/**
 * A middleware that gives each try of a command a stream of its own: the SDK tries no command again whose body is one,
 * because it cannot be read twice.
 */
async function bodyOf(path: string, start: number, length: number, known: string | null) {
  const open = () => createReadStream(path, { start, end: start + length - 1 });
  const sha256 = known ?? (await hash(open()));

  return <Args extends { request: unknown }, Output>(next: (args: Args) => Promise<Output>) =>
    async (args: Args): Promise<Output> => {
      const request = args.request as Request;
      const body = open();
      const broken = new Promise<never>((_resolve, reject) => body.once('error', reject));
      try {
        request.headers['x-amz-content-sha256'] = sha256;
        request.body = body;
        return await Promise.race([next(args), broken]);
      } finally {
        body.destroy();
        // Otherwise the SDK would see a stream in what it is to try again.
        delete request.body;
      }
    };
}

async function hash(stream: AsyncIterable<unknown>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
