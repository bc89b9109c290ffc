import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve as absolute } from 'node:path';
import type { Context } from '../context.ts';
import { count } from '../count.ts';
import { CliError, EXIT, explain, isOfCredentialStore } from '../errors.ts';
import { printable } from '../printable.ts';
import { uploadAll } from '../upload/batch.ts';
import { createBeginUpload, type SendingOptions } from '../upload/begin-upload.ts';
import { withDefaults } from '../upload/defaults.ts';
import { parseFormat } from '../upload/format.ts';
import { noProgress } from '../upload/progress.ts';
import { tell, type ReportOptions } from '../upload/report.ts';
import { isPicture, ownFile, type Source } from '../upload/sources.ts';

export interface WatchOptions extends SendingOptions, ReportOptions {
  recursive?: boolean;
  /** Also what is there already. */
  existing?: boolean;
  format?: string;
  copy?: boolean;
}

/** A file is whole when it has not grown for so long, in milliseconds. */
const STILL_FOR_MS = 1_000;

/** How often it is seen whether the folder is still there, in milliseconds. */
const LOOK_MS = 1_000;

/** How long until a server or a keychain that did not answer is tried again, in milliseconds. */
const RETRY_MS = 30_000;

/** Uploads the pictures that appear in a folder, once each is whole, until it is told to stop. */
export async function watch(folder: string, given: WatchOptions, context: Context): Promise<void> {
  const { io, wait } = context;
  const chosen = await withDefaults(given, context);
  const options = chosen.format === 'json' ? { ...chosen, json: true } : chosen;
  const format = parseFormat(options.format);
  const stopping = new AbortController();
  void context.stopRequested().then(() => stopping.abort(new CliError('stopped', EXIT.interrupted, 'Stopped.')));
  const { signal } = stopping;
  const begin = createBeginUpload(options, context, noProgress(), signal);
  const appeared = await watchPictures(folder, options);
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
            missing.delete(source.label);
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

  signal.addEventListener('abort', () => void appeared.close(), { once: true });
  // `imgup watch in | head -1`: nobody is left to read the links.
  io.stdout.once('error', () => stopping.abort(new CliError('stopped', EXIT.interrupted, 'Stopped.')));
  try {
    for await (const source of appeared.sources) {
      missing.add(source.label);
      await sendOne(source);
    }
  } finally {
    await appeared.close();
  }
  for (const { label } of appeared.waiting) missing.add(label);
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

async function requireFolder(folder: string): Promise<Stats> {
  const found = await stat(folder).catch(() => null);
  if (found?.isDirectory() === true) return found;
  throw new CliError('not_a_folder', EXIT.failed, `There is no folder ${folder}; name one to watch.`);
}

/**
 * The pictures that appear or change, one after the other, until it is closed. Hidden files, and those in hidden
 * folders, do not count. Errors: `CliError` when the folder is gone.
 */
async function watchPictures(folder: string, { recursive, existing }: WatchOptions) {
  const { dev, ino } = await requireFolder(folder);
  const { watch: watchFolder } = await import('chokidar');
  const root = absolute(folder);
  const waiting: Source[] = [];
  /** How each was when it was last put in line: a file that is only touched is not sent again. */
  const known = new Map<string, string>();
  let wake = () => {};
  let closed = false;
  let gone = false;
  const watcher = watchFolder(folder, {
    ignoreInitial: existing !== true,
    alwaysStat: true,
    awaitWriteFinish: { stabilityThreshold: STILL_FOR_MS, pollInterval: 100 },
    followSymlinks: false,
    ignored: (path) => absolute(path) !== root && /(^|[\\/])\.[^\\/]+$/.test(path),
    ...(recursive === true ? {} : { depth: 0 }),
  });
  const putInLine = (path: string, stats?: Stats) => {
    if (!isPicture(path) || (stats !== undefined && !stats.isFile() && !stats.isSymbolicLink())) return;
    const state = `${stats?.size} ${stats?.mtimeMs} ${stats?.ino}`;
    if (known.get(path) === state) return;
    known.set(path, state);
    if (waiting.some((source) => source.label === path)) return;
    waiting.push(ownFile(path, stats?.size ?? 0));
    wake();
  };
  watcher.on('add', putInLine);
  watcher.on('change', putInLine);
  watcher.on('unlink', (path) => known.delete(path));
  await new Promise((resolve, reject) => {
    watcher.once('ready', () => resolve(undefined));
    watcher.once('error', reject);
  });
  // The watcher does not tell of the folder itself.
  const look = async () => {
    const now = await stat(folder).catch(() => null);
    if (now?.dev === dev && now.ino === ino) return;
    gone = true;
    wake();
  };
  const looking = setInterval(() => void look(), LOOK_MS);

  async function* sources(): AsyncGenerator<Source> {
    while (!closed) {
      const next = waiting.shift();
      if (next !== undefined) yield next;
      else if (gone) {
        throw new CliError('folder_gone', EXIT.failed, `The folder ${folder} is gone; name one to watch.`);
      } else await new Promise<void>((resolve) => (wake = resolve));
    }
  }

  return {
    sources: sources(),
    /** What has appeared, and has not been handed on. */
    waiting,
    async close() {
      closed = true;
      clearInterval(looking);
      wake();
      await watcher.close();
    },
  };
}
