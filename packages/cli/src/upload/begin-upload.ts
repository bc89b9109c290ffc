import { unlink } from 'node:fs/promises';
import { connectAsUser } from '../api/connect.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT, explain } from '../errors.ts';
import { readPictureFile } from '../picture-file.ts';
import type { GlobalOptions } from '../program.ts';
import { readableDuration } from '../readable-duration.ts';
import { parseExpiry } from './expiry.ts';
import { createPace } from './pace.ts';
import type { Progress } from './progress.ts';
import type { Source } from './sources.ts';
import { createUploadPicture, type Uploaded } from './upload-picture.ts';

export interface SendingOptions extends GlobalOptions {
  keepMetadata?: boolean;
  /** A number and a unit: `7d`. */
  expires?: string;
  /** False with `--no-wait`. */
  wait?: boolean;
  deleteAfter?: boolean;
  verbose?: boolean;
}

/** What is done with each file. The server is asked nothing before there is a picture to send. */
export function createBeginUpload(
  options: SendingOptions,
  context: Context,
  progress: Progress,
  signal: AbortSignal,
): (source: Source) => Promise<() => Promise<Uploaded>> {
  const wishes = { keepMetadata: options.keepMetadata === true, expires: parseExpiry(options.expires, '--expires') };
  const { io, now, wait } = context;
  const remark = (line: string) => {
    if (options.verbose === true) progress.aside(() => io.note(line));
  };
  let isTold = false;
  const pace = createPace({
    patient: options.wait !== false,
    now,
    wait,
    onWait(seconds) {
      progress.waiting(seconds);
      if (seconds !== null && !isTold)
        remark(`The upload limit is reached; the next one goes in ${readableDuration(seconds)}.`);
      isTold = seconds !== null;
    },
  });
  const onRetry = (error: unknown, seconds: number) =>
    remark(`${explain(error).message} The next attempt is in ${seconds.toFixed(1)} s.`);
  let way: Promise<ReturnType<typeof createUploadPicture>> | undefined;

  return async (source) => {
    const picture = await readPictureFile(source.path, signal);
    way ??= connectAsUser(context, options, signal).then(({ client, session }) =>
      createUploadPicture({ client, session, pace, wishes, signal, now, wait, onRetry }),
    );
    // What failed is tried again for the next file: a keychain may have been unlocked meanwhile.
    way.catch(() => (way = undefined));
    const { stream } = picture.body;
    const body = { ...picture.body, stream: () => counted(stream(), source, progress) };
    const finish = await (await way)({ ...picture, name: source.name, body });
    return async () => {
      const uploaded = await finish();
      remark(`${source.label}: ${uploaded.created ? 'uploaded' : 'was there already'}`);
      if (options.deleteAfter === true && source.own) await removeSent(source, picture.digest, uploaded, signal);
      return uploaded;
    };
  };
}

async function* counted(
  stream: AsyncIterable<Uint8Array>,
  source: Source,
  progress: Progress,
): AsyncGenerator<Uint8Array> {
  progress.begun(source);
  for await (const chunk of stream) {
    progress.sent(source, chunk.length);
    yield chunk;
  }
}

/** Removes a file that the server has confirmed, unless it is another one by now. */
async function removeSent(source: Source, digest: string, { image }: Uploaded, signal: AbortSignal): Promise<void> {
  const confirmed = Buffer.from(image.source_sha256, 'hex').toString('base64');
  const { digest: present } = await readPictureFile(source.path, signal);
  if (confirmed !== digest || present !== digest) {
    const message = `${source.path} was uploaded, and not deleted: it was changed meanwhile.`;
    throw new CliError('file_changed', EXIT.failed, message);
  }
  await unlink(source.path).catch((error: unknown) => {
    const message = `${source.path} was uploaded, and cannot be deleted; check its folder's permissions.`;
    throw new CliError('file_not_deleted', EXIT.failed, message, { cause: error });
  });
}
