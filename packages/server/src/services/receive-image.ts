import { randomBytes } from 'node:crypto';
import { IMAGE_TYPE_NAMES, IMAGE_TYPES, type ImageType } from '@imgup/shared';
import { ulid } from 'ulid';
import { AppError } from '../errors.ts';
import { digestKey, type ImageRecord, type ImageStore } from '../ports/image-store.ts';
import type { Incoming, KnownPart } from '../ports/incoming.ts';
import type { MetadataStripper } from '../ports/metadata-stripper.ts';
import type { PictureDecoder } from '../ports/picture-decoder.ts';
import type { WrittenFile } from '../ports/written-file.ts';
import { cleanName } from './clean-name.ts';
import { formatBytes } from './format-bytes.ts';
import { recognisePicture } from './recognise-picture.ts';
import type { SmallVersions } from './small-versions.ts';

interface ReceiveImageOptions {
  store: ImageStore;
  incoming: Incoming;
  createStripper: () => MetadataStripper;
  decoder: PictureDecoder;
  smallVersions: SmallVersions;
  /** Whether the user still exists. */
  isUser: (userId: string) => Promise<boolean>;
  /** Bytes of one picture. */
  maxBytes: number;
  /** Bytes that a user may have stored; null: any number. */
  quota: number | null;
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
  keepMetadata: boolean;
  /** Milliseconds that the picture is to live; null: for good. */
  expiresIn: number | null;
}

/** What the headers tell of an upload. */
type Announced = Pick<Upload, 'owner' | 'expectedSha256' | 'keepMetadata'>;

export type ReceiveImage = ReturnType<typeof createReceiveImage>;

/** The way of an upload on the server: received, recognised, stripped, decoded, stored. */
export function createReceiveImage(options: ReceiveImageOptions) {
  const { store, incoming, createStripper, decoder, smallVersions, isUser, maxBytes, quota, now } = options;

  function tooLarge(): AppError {
    const detail = `The picture is larger than the ${formatBytes(maxBytes)} that this server accepts. Send a smaller one.`;
    return new AppError('image_too_large', detail);
  }

  /** Decodes what is to be served, so that nothing is served that does not decode; stores it; answers once it is safe. */
  async function checkAndStore(record: Omit<ImageRecord, 'width' | 'height'>, file: WrittenFile, known: KnownPart[]) {
    store.expect(file);
    const small = decoder.makesSmallVersion ? await smallVersions.draft() : null;
    const { width, height } = await decoder.check(file.path, small, known);
    try {
      const put = () => store.put({ ...record, width, height }, file, now(), { quota });
      const removed = async (cause?: unknown) => {
        await store.tidyOwner(record.owner);
        return new AppError('token_revoked', 'This user has been removed.', { cause });
      };
      const result = await put().catch(async (error: unknown) => {
        // The user's folder may have been removed from under it.
        throw (await isUser(record.owner)) ? error : await removed(error);
      });
      if (result.outcome === 'quota_exceeded') throw quotaExceeded(quota);
      if (result.outcome === 'created') {
        // A user who was removed while this arrived keeps nothing, and their other pictures may be gone already.
        if (!(await isUser(record.owner))) {
          await store.delete(record.owner, result.record.id);
          throw await removed();
        }
        if (small !== null) await smallVersions.keep(result.record, small);
      }
      return { record: result.record, created: result.outcome === 'created' };
    } finally {
      if (small !== null) await incoming.discard(small);
    }
  }

  return {
    /**
     * Refuses what is known to be hopeless, before any of the body is read.
     *
     * @param length the least bytes that it has
     * @throws AppError `image_too_large`, `quota_exceeded`
     */
    async checkAhead({ owner, expectedSha256, keepMetadata }: Announced, length: number): Promise<void> {
      if (length > maxBytes) throw tooLarge();
      // Without its digest, only the body itself can tell whether it is there already, and costs nothing.
      if (quota === null || expectedSha256 === null || (await store.usage(owner)).bytes < quota) return;
      const known = await store.findByDigest(owner, digestKey(expectedSha256, keepMetadata));
      if (known === null) throw quotaExceeded(quota);
    },

    /**
     * Receives a picture and stores it. What is refused leaves nothing behind.
     *
     * @throws AppError `image_*`, `digest_mismatch`, `quota_exceeded`, `server_busy`
     */
    async receive(upload: Upload): Promise<{ record: ImageRecord; created: boolean }> {
      const { owner, source, name, expectedSha256, keepMetadata, expiresIn } = upload;
      let type: ImageType | undefined;
      const stripper = keepMetadata ? null : createStripper();
      const received = await incoming.receive(source, {
        onHead: async (head) => {
          if (head.length === 0) throw new AppError('image_empty', 'The picture is empty. Send a picture.');
          // Recognised on the way, so that a film of 20 MB is refused after its first bytes.
          type = await recognise(head);
          decoder.wake();
        },
        onChunk: (chunk, bytes) => {
          if (bytes > maxBytes) throw tooLarge();
          // Of others there is nothing to be found.
          if (type === undefined || type === 'image/jpeg') stripper?.watch(chunk);
        },
      });
      const { known, file: original } = received;
      const clean = `${original.path}.clean`;
      /** Files that nobody has taken away. */
      const left = new Set([original.path]);
      const written = [original];
      try {
        if (expectedSha256 !== null && expectedSha256 !== received.sha256) {
          const detail = 'The bytes that arrived do not match the Repr-Digest sent with them. Send the picture again.';
          throw new AppError('digest_mismatch', detail);
        }
        if (type === undefined) throw new Error('A body was received, and nobody has looked at its start.');
        const createdAt = now();
        left.add(clean);
        const stripped =
          (await stripper?.strip({ from: original.path, bytes: received.bytes, known, to: clean, type })) ?? null;
        if (stripped === null) left.delete(clean);
        else {
          written.push(stripped.file);
          // Now, for it may wait long for a decoder with the copy.
          await original.close();
        }
        const { bytes, sha256, removed } = stripped ?? { ...received, removed: [] };
        const record = {
          id: newestFirstId(createdAt),
          owner,
          name: name === null ? null : cleanName(name),
          type,
          extension: IMAGE_TYPES[type],
          bytes,
          sha256,
          sourceSha256: received.sha256,
          digestKey: digestKey(received.sha256, keepMetadata),
          removed,
          createdAt: new Date(createdAt).toISOString(),
          expiresAt: expiresIn === null ? null : new Date(createdAt + expiresIn).toISOString(),
        };
        const file = stripped?.file ?? original;
        const result = await checkAndStore(record, file, stripped === null ? known : []);
        if (result.created) left.delete(file.path);
        return result;
      } finally {
        for (const file of written) await file.close();
        for (const path of left) await incoming.discard(path);
      }
    },
  };
}

async function recognise(head: Uint8Array) {
  const { type, found } = await recognisePicture(head);
  if (type !== null) return type;
  const what = found === null ? 'This is no picture that is known here' : `This is ${found}`;
  throw new AppError('image_type_unsupported', `${what}; accepted are ${IMAGE_TYPE_NAMES}.`);
}

/** Of a ULID, five bits each. */
const RANDOM_CHARACTERS = 16;

/** A ULID of the time counted down, so that names in alphabetical order are pictures from the newest to the oldest. */
function newestFirstId(at: number): string {
  // By itself the library would ask the system for each of the 16 characters: a fiftieth of a small upload's time.
  const random = randomBytes(RANDOM_CHARACTERS);
  let used = 0;
  return ulid(2 ** 48 - 1 - at, () => random.readUInt8(used++) / 256).toLowerCase();
}

function quotaExceeded(quota: number | null): AppError {
  const room = quota === null ? '' : ` of ${formatBytes(quota)}`;
  return new AppError('quota_exceeded', `Your storage${room} is full. Remove pictures that you no longer need.`);
}
