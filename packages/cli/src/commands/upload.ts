import { basename } from 'node:path';
import { EXPIRY_MAX_MS, EXPIRY_MIN_MS, type ImageResponse } from '@imgup/shared';
import type { UploadWishes } from '../api/client.ts';
import { connectAsUser } from '../api/connect.ts';
import type { Context } from '../context.ts';
import { EXIT, explain, usageError } from '../errors.ts';
import { aboutFile, readPictureFile } from '../picture-file.ts';
import { printable } from '../printable.ts';
import type { GlobalOptions } from '../program.ts';
import { withSpinner } from '../spinner.ts';

export interface UploadOptions extends GlobalOptions {
  quiet?: boolean;
  keepMetadata?: boolean;
  /** A number and a unit: `7d`. */
  expires?: string;
}

/** Puts a picture on the server, and prints its link: the only thing that reaches stdout. */
export async function upload(file: string, options: UploadOptions, context: Context): Promise<void> {
  const { io } = context;
  const wishes = { keepMetadata: options.keepMetadata === true, expires: expiry(options.expires) };
  const work = () => untilInterrupted(context.interrupted(), (signal) => send(file, wishes, options, context, signal));
  const silent = !io.terminal || options.quiet === true || options.debug === true;
  const text = `Uploading ${printable(basename(file))}`;
  const image = silent ? await work() : await withSpinner(io, { text, color: options.color }, work);
  if (options.json === true) io.printJson(image);
  else io.print(image.url);
  await io.flush().catch((error: unknown) => {
    // The picture is there, and its link must not be lost.
    io.note(image.url);
    throw error;
  });
  if (image.removed.length > 0 && options.quiet !== true)
    io.note(`removed: ${image.removed.map(printable).join(', ')}`);
}

/** Checked here, because a sentence about an option says more than one about a header. */
function expiry(text: string | undefined): string | null {
  if (text === undefined) return null;
  const [, count = '', unit = ''] = /^(\d+(?:\.\d+)?)([mhdw])$/.exec(text) ?? [];
  const time = Number(count) * (UNITS.get(unit) ?? Number.NaN);
  if (time >= EXPIRY_MIN_MS && time <= EXPIRY_MAX_MS) return text;
  throw usageError(`--expires is "${printable(text)}"; give a time from 10m to 365d, such as 30m, 12h, 7d or 4w.`);
}

const MINUTE = 60_000;
const UNITS = new Map([
  ['m', MINUTE],
  ['h', 60 * MINUTE],
  ['d', 24 * 60 * MINUTE],
  ['w', 7 * 24 * 60 * MINUTE],
]);

async function send(
  file: string,
  wishes: UploadWishes,
  options: UploadOptions,
  context: Context,
  signal: AbortSignal,
): Promise<ImageResponse> {
  const picture = await readPictureFile(file, signal);
  const { client, session } = await connectAsUser(context, options, signal);
  return session
    .authorized((token) => client.uploadImage(token, picture, wishes))
    .catch((error: unknown) => {
      const failure = explain(error);
      throw failure.exitCode === EXIT.refused ? aboutFile(file, failure) : failure;
    });
}

/** Gives up at once on Ctrl-C, also where the wait is for something that cannot be cancelled, such as a keychain. */
async function untilInterrupted<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const interrupt = () => reject(signal.reason);
    if (signal.aborted) return interrupt();
    signal.addEventListener('abort', interrupt, { once: true });
    work(signal)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', interrupt));
  });
}
