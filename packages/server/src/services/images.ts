import { IMAGE_NAME_MAX_BYTES, IMAGE_TYPE_NAMES, IMAGE_TYPES } from '@imgup/shared';
import bytes from 'bytes';
import { ulid } from 'ulid';
import { AppError } from '../errors.ts';
import type { ImageContent, ImageRecord, ImageStore } from '../ports/image-store.ts';
import type { Incoming } from '../ports/incoming.ts';
import { recognisePicture } from './recognise-picture.ts';

interface ImagesOptions {
  store: ImageStore;
  incoming: Incoming;
  measure: (path: string) => Promise<{ width: number; height: number }>;
  /** Whether the user still exists. */
  isUser: (userId: string) => Promise<boolean>;
  /** Bytes. */
  maxBytes: number;
  now: () => number;
}

export interface Upload {
  /** User id. */
  owner: string;
  source: AsyncIterable<Uint8Array>;
  /** The file's name as the client has it; cleaned here. */
  name: string | null;
  /** Hex SHA-256 of the body as the client knows it (RFC 9530). */
  expectedSha256: string | null;
}

export type Images = ReturnType<typeof createImages>;

export function createImages({ store, incoming, measure, isUser, maxBytes, now }: ImagesOptions) {
  function tooLarge(): AppError {
    const detail = `The picture is larger than the ${formatBytes(maxBytes)} that this server accepts. Send a smaller one.`;
    return new AppError('image_too_large', detail);
  }

  return {
    /**
     * Refuses a body whose length is known to be too large, before any of it is read.
     *
     * @throws AppError `image_too_large`
     */
    checkLength(length: number): void {
      if (length > maxBytes) throw tooLarge();
    },

    /**
     * Receives a picture and stores it. What is refused leaves nothing behind.
     *
     * @throws AppError `image_empty`, `image_too_large`, `image_type_unsupported`, `image_invalid`, `digest_mismatch`
     */
    async upload({ owner, source, name, expectedSha256 }: Upload): Promise<{ record: ImageRecord; created: boolean }> {
      const received = await incoming.receive(source, {
        onHead: async (head) => {
          if (head.length === 0)
            throw new AppError('image_empty', 'The picture is empty. Send the bytes of a picture.');
          // Recognised on the way, so that a film of 20 MB is refused after its first bytes.
          await recognise(head);
        },
        onBytes: (count) => {
          if (count > maxBytes) throw tooLarge();
        },
      });
      try {
        if (expectedSha256 !== null && expectedSha256 !== received.sha256) {
          const detail = 'The bytes that arrived do not match the Repr-Digest sent with them. Send the picture again.';
          throw new AppError('digest_mismatch', detail);
        }
        const type = await recognise(received.head);
        const { width, height } = await measure(received.path);
        const createdAt = now();
        const record: ImageRecord = {
          id: newestFirstId(createdAt),
          owner,
          name: name === null ? null : cleanName(name),
          type,
          extension: IMAGE_TYPES[type],
          bytes: received.bytes,
          width,
          height,
          sha256: received.sha256,
          createdAt: new Date(createdAt).toISOString(),
        };
        const removed = (cause?: unknown) => new AppError('token_revoked', 'This user has been removed.', { cause });
        const stored = await store.put(record, received.path).catch(async (error: unknown) => {
          // The user's folder may have been removed from under it.
          throw (await isUser(owner)) ? error : removed(error);
        });
        // A user who was removed while this arrived keeps nothing, and their other pictures may be gone already.
        if (stored.created && !(await isUser(owner))) {
          await store.delete(owner, record.id);
          throw removed();
        }
        return stored;
      } finally {
        await incoming.discard(received.path);
      }
    },

    /** The picture behind a public link, or null. A link with another extension than the stored one leads nowhere. */
    async open(owner: string, id: string, extension: string): Promise<ImageContent | null> {
      const content = await store.get(owner, id);
      return content?.record.extension === extension ? content : null;
    },
  };
}

async function recognise(head: Uint8Array) {
  const { type, found } = await recognisePicture(head);
  if (type !== null) return type;
  const what = found === null ? 'This is no picture that is known here' : `This is ${found}`;
  throw new AppError('image_type_unsupported', `${what}; accepted are ${IMAGE_TYPE_NAMES}.`);
}

/** A ULID of the time counted down, so that names in alphabetical order are pictures from the newest to the oldest. */
function newestFirstId(at: number): string {
  return ulid(2 ** 48 - 1 - at).toLowerCase();
}

/** The last part of a path, without control characters, cut to the limit between characters. */
function cleanName(name: string): string | null {
  const base = name.split(/[/\\]/).at(-1) ?? '';
  const printable = base.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '').trim();
  let cut = '';
  for (const character of printable) {
    if (Buffer.byteLength(cut + character) > IMAGE_NAME_MAX_BYTES) break;
    cut += character;
  }
  return cut === '' ? null : cut;
}

function formatBytes(count: number): string {
  return bytes.format(count, { unitSeparator: ' ' }) ?? `${count} bytes`;
}
