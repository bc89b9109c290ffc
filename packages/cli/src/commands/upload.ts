import { basename } from 'node:path';
import type { ImageResponse } from '@imgup/shared';
import { connectAsUser } from '../api/connect.ts';
import type { Context } from '../context.ts';
import { EXIT, explain } from '../errors.ts';
import { aboutFile, readPictureFile } from '../picture-file.ts';
import { printable } from '../printable.ts';
import type { GlobalOptions } from '../program.ts';
import { withSpinner } from '../spinner.ts';

export interface UploadOptions extends GlobalOptions {
  quiet?: boolean;
}

/** Puts a picture on the server, and prints its link: the only thing that reaches stdout. */
export async function upload(file: string, options: UploadOptions, context: Context): Promise<void> {
  const { io } = context;
  const work = () => untilInterrupted(context.interrupted(), (signal) => send(file, options, context, signal));
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
}

async function send(
  file: string,
  options: UploadOptions,
  context: Context,
  signal: AbortSignal,
): Promise<ImageResponse> {
  const picture = await readPictureFile(file, signal);
  const { client, session } = await connectAsUser(context, options, signal);
  return session
    .authorized((token) => client.uploadImage(token, picture))
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
