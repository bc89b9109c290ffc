import { unlink } from 'node:fs/promises';
import { resolve } from 'node:path';
import { connectAsUser } from '../api/connect.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT, explain } from '../errors.ts';
import { pathKey } from '../file-path.ts';
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
  /** What the picture is called, where it is one. */
  name?: string;
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
  /** What `--delete-after` has taken away, by its path: a file may be named twice. */
  const deleted = new Map<string, Uploaded>();

  /** Errors: the signal's reason. */
  async function withoutFile(source: Source, digest: string, uploaded: Uploaded): Promise<Uploaded> {
    const path = fileKey(source);
    deleted.set(path, uploaded);
    try {
      await removeSent(source, digest, uploaded, signal);
      return uploaded;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      deleted.delete(path);
      const { code, message, cause } = explain(error);
      return { ...uploaded, notDeleted: new CliError(code, EXIT.partly, message, { cause, path: source.label }) };
    }
  }

  let way: Promise<ReturnType<typeof createUploadPicture>> | undefined;

  return async (source) => {
    if (source.failure !== null) throw source.failure;
    const picture = await readPictureFile(source.path, signal, source.label).catch((error: unknown) => {
      const before = deleted.get(fileKey(source));
      if (before === undefined || !isGone(error)) throw error;
      return { before };
    });
    if ('before' in picture) return async () => ({ image: picture.before.image, created: false });
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
      for (const line of unmet(uploaded, options)) progress.aside(() => io.note(`${source.label}: ${line}`));
      if (options.deleteAfter === true && source.own) return withoutFile(source, picture.digest, uploaded);
      return uploaded;
    };
  };
}

/** What was asked for, and does not hold, because the picture was there already. */
function unmet({ image, created }: Uploaded, { expires, name }: SendingOptions): string[] {
  if (created) return [];
  const lines: string[] = [];
  if (expires !== undefined && expires !== 'never' && image.expires_at === null)
    lines.push('was there already for good, and its link does not expire.');
  if (name !== undefined && image.name !== name)
    lines.push(`was there already, and is still called ${image.name ?? 'nothing'}.`);
  return lines;
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
  const present = await readPictureFile(source.path, signal, source.label).catch((error: unknown) => {
    if (isGone(error)) return null;
    throw error;
  });
  // Somebody else has removed it: another imgup that watches the folder.
  if (present === null) return;
  if (confirmed !== digest || present.digest !== digest) {
    const message = `${source.label} was uploaded, and not deleted: it was changed meanwhile.`;
    throw new CliError('file_changed', EXIT.failed, message, { path: source.label });
  }
  await unlink(source.path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return;
    const message = `${source.label} was uploaded, and cannot be deleted; check its folder's permissions.`;
    throw new CliError('file_not_deleted', EXIT.failed, message, { cause: error, path: source.label });
  });
}

/** The same for a file that is named in two ways. */
function fileKey({ path }: Source): string {
  return typeof path === 'string' ? resolve(path) : pathKey(path);
}

function isGone(error: unknown): boolean {
  return error instanceof CliError && error.code === 'file_not_found';
}
