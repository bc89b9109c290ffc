import type { Context } from '../context.ts';
import { count } from '../count.ts';
import { CliError, EXIT, explain, inJson, isOfCredentialStore } from '../errors.ts';
import { pathKey } from '../file-path.ts';
import { printable } from '../printable.ts';
import { uploadAll } from '../upload/batch.ts';
import { createBeginUpload, type SendingOptions } from '../upload/begin-upload.ts';
import { withDefaults } from '../upload/defaults.ts';
import { parseFormat } from '../upload/format.ts';
import { noProgress } from '../upload/progress.ts';
import { tell, type ReportOptions } from '../upload/report.ts';
import type { Source } from '../upload/sources.ts';
import { watchPictures } from '../upload/watch-pictures.ts';

export interface WatchOptions extends SendingOptions, ReportOptions {
  recursive?: boolean;
  /** Also what is there already. */
  existing?: boolean;
  format?: string;
  copy?: boolean;
}

/** How long until a server or a keychain that did not answer is tried again, in milliseconds. */
const RETRY_MS = 30_000;

/** Uploads the pictures that appear in a folder, once each is whole, until it is told to stop. */
export async function watch(folder: string, given: WatchOptions, context: Context): Promise<void> {
  const chosen = withDefaults(given, await (await context.settings()).read());
  if (chosen.format !== 'json') return watchChosen(folder, chosen, context);
  await watchChosen(folder, { ...chosen, json: true }, context).catch((error: unknown) => {
    throw inJson(error);
  });
}

async function watchChosen(folder: string, options: WatchOptions, context: Context): Promise<void> {
  const { io, wait } = context;
  const format = parseFormat(options.format);
  const stopping = new AbortController();
  void context.stopRequested().then(() => stopping.abort(new CliError('stopped', EXIT.interrupted, 'Stopped.')));
  const { signal } = stopping;
  const begin = createBeginUpload(options, context, noProgress(), signal);
  const onTrouble = (failure: CliError) => io.note(`imgup: ${failure.message}`);
  const appeared = await watchPictures(folder, { ...options, signal, onTrouble });
  if (options.quiet !== true) io.note(`Watching ${printable(folder)}; Ctrl-C ends it.`);
  let uploaded = 0;
  /** What has appeared, or has changed, and is not uploaded as it is now. */
  const missing = new Set<string>();

  /** Until the server has it, or will not have it. */
  async function sendOne(source: Source): Promise<void> {
    for (;;) {
      const { results, stopped } = await uploadAll([source], {
        begin,
        signal,
        onResult: async (result) => {
          tell(result, { format, options: { ...options, jsonl: options.json === true }, context, alone: false });
          if (result.image !== null) {
            uploaded += 1;
            missing.delete(pathKey(source.path));
          }
          if (result.image !== null && options.copy === true) await copy(format(result.image, source.label));
          await io.flush();
        },
      });
      if (signal.aborted || results.some(({ status }) => status !== 'left')) return;
      if (stopped === null) throw new Error('nothing has become of a file');
      if (stopped.exitCode !== EXIT.unreachable && !isOfCredentialStore(stopped)) throw stopped;
      io.note(`imgup: ${stopped.message} The next attempt is in ${RETRY_MS / 1000} s.`);
      await wait(RETRY_MS, signal).catch(() => undefined);
      if (signal.aborted) return;
    }
  }

  async function copy(text: string): Promise<void> {
    const { copyText } = await import('../clipboard.ts');
    await copyText(text, { env: context.config().env, signal }).catch((error: unknown) => {
      if (!signal.aborted) io.note(`imgup: ${explain(error).message}`);
    });
  }

  // `imgup watch in | head -1`: nobody is left to read the links.
  io.stdout.once('error', () => stopping.abort(new CliError('stopped', EXIT.interrupted, 'Stopped.')));
  try {
    for await (const source of appeared.sources) {
      missing.add(pathKey(source.path));
      await sendOne(source);
    }
  } finally {
    await appeared.close();
  }
  for (const { path } of appeared.waiting) missing.add(pathKey(path));
  finish(uploaded, uploaded + missing.size, options, context);
}

/** Errors: `CliError` where a picture has appeared that the server does not have. */
function finish(uploaded: number, all: number, { quiet }: WatchOptions, { io }: Context): void {
  const missing = all - uploaded;
  if (missing > 0) {
    const message = `${missing} of ${all} not uploaded${uploaded > 0 ? `, ${uploaded} uploaded` : ''}; see above.`;
    const result = { uploaded, not_uploaded: missing };
    if (uploaded > 0) throw new CliError('some_failed', EXIT.partly, message, { result });
    throw new CliError('all_failed', EXIT.failed, message, { result });
  }
  if (quiet !== true) io.note(`${count(uploaded, 'picture', 'pictures')} uploaded.`);
}
