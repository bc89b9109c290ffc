import type { ImageResponse } from '@imgup/shared';
import type { Client, Picture, UploadWishes } from '../api/client.ts';
import type { Session } from '../api/session.ts';
import type { CliError } from '../errors.ts';
import type { Pace } from './pace.ts';
import { createRetries } from './retries.ts';

export interface Uploaded {
  image: ImageResponse;
  /** False where the server had it already. */
  created: boolean;
  /** Why the local file, which was to be deleted, is still there. */
  notDeleted?: CliError;
}

interface UploadPictureOptions {
  client: Client;
  session: Session;
  pace: Pace;
  wishes: UploadWishes;
  signal: AbortSignal;
  now: () => number;
  wait: (ms: number, signal: AbortSignal) => Promise<void>;
  onRetry: (error: unknown, seconds: number) => void;
}

/**
 * The way of a picture to the server, in two steps: it is asked for by its digest, which costs no slot of the limit and
 * makes a repeated command cheap; what is then returned sends it where that is needed. A retry asks again before it
 * sends, so that an answer that was lost makes no second picture and takes no second slot.
 *
 * Errors of each step: `ApiError`, `TransportError`, `CliError`; the signal's reason.
 */
export function createUploadPicture(
  options: UploadPictureOptions,
): (picture: Picture) => Promise<() => Promise<Uploaded>> {
  const { client, session, pace, wishes, signal, now, wait, onRetry } = options;
  const { withRetries, succeeded } = createRetries({ signal, wait, onRetry });
  /** What this command has uploaded, by digest. */
  const uploaded = new Map<string, ImageResponse>();

  async function find({ digest }: Picture): Promise<ImageResponse | null> {
    const image = await session.authorized((token) => client.findImage(token, digest, wishes));
    succeeded();
    return image !== null && livesAsLong(image, wishes, now()) ? image : null;
  }

  async function send(picture: Picture): Promise<Uploaded> {
    const answer = await pace(() => session.authorized((token) => client.uploadImage(token, picture, wishes)), signal);
    succeeded();
    uploaded.set(picture.digest, answer.image);
    return { image: answer.image, created: answer.created };
  }

  return async (picture) => {
    const found = await withRetries(() => find(picture));
    if (found !== null) return async () => ({ image: found, created: false });
    let isFirst = true;
    return () =>
      withRetries(async () => {
        const image = isFirst ? (uploaded.get(picture.digest) ?? null) : await find(picture);
        isFirst = false;
        return image === null ? send(picture) : { image, created: false };
      });
  };
}

/** Whether a picture lives for about as long as one that would be uploaded now. */
function livesAsLong({ expires_at }: ImageResponse, { expires }: UploadWishes, now: number): boolean {
  if (expires_at === null) return true;
  return expires !== null && Date.parse(expires_at) - now >= expires.ms * STILL_AS_LONG;
}

/** A run that is repeated soon finds what the first one has uploaded. */
const STILL_AS_LONG = 0.9;
