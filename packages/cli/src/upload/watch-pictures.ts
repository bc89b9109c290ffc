import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve as absolute } from 'node:path';
import { CliError, EXIT } from '../errors.ts';
import { pathKey, shownPath, type FilePath } from '../file-path.ts';
import { oddPictures } from './odd-pictures.ts';
import { isPicture, ownFile, type Source } from './sources.ts';

interface WatchPicturesOptions {
  recursive?: boolean;
  /** Also what is there already. */
  existing?: boolean;
  /** Ends it, as `close` does. */
  signal: AbortSignal;
  /** Told of a folder below that cannot be read. */
  onTrouble: (failure: CliError) => void;
}

interface WatchedPictures {
  sources: AsyncIterable<Source>;
  /** What has appeared, and has not been handed on. */
  waiting: Source[];
  close(): Promise<void>;
}

/** A file is whole when it has not grown for so long, in milliseconds. */
const STILL_FOR_MS = 1_000;

/** How often it is seen whether the folder is still there, and odd pictures are whole, in milliseconds. */
const LOOK_MS = 1_000;

/**
 * The pictures that appear or change, one after the other, until it is closed. Hidden files, and those in hidden
 * folders, do not count, and what is in a folder whose name is no UTF-8 may be missed. Errors: `CliError` where it cannot be
 * watched, and when the folder is gone.
 */
export async function watchPictures(
  folder: string,
  { recursive, existing, signal, onTrouble }: WatchPicturesOptions,
): Promise<WatchedPictures> {
  const { dev, ino } = await requireFolder(folder);
  const { watch: watchFolder } = await import('chokidar');
  const root = absolute(folder);
  const findOdd = () => oddPictures(folder, { recursive: recursive === true, signal }).catch(() => []);
  const waiting: Source[] = [];
  /** How each was when it was last put in line: a file that is only touched is not sent again. */
  const known = new Map<string, string>();
  if (existing !== true) for (const { path, stats } of await findOdd()) known.set(pathKey(path), stateOf(stats));
  /** Whether there may be odd ones that are not in line, and how each was at the last look. */
  let mayBeOdd = true;
  let odd = new Map<string, string>();
  let wake = () => {};
  let closed = false;
  let failure: CliError | null = null;
  const watcher = watchFolder(folder, {
    ignoreInitial: existing !== true,
    alwaysStat: true,
    awaitWriteFinish: { stabilityThreshold: STILL_FOR_MS, pollInterval: 100 },
    followSymlinks: false,
    ignored: (path) => absolute(path) !== root && /(^|[\\/])\.[^\\/]+$/.test(path),
    ...(recursive === true ? {} : { depth: 0 }),
  });
  const putInLine = (path: FilePath, stats?: Stats) => {
    if (!isPicture(shownPath(path)) || (stats !== undefined && !stats.isFile() && !stats.isSymbolicLink())) return;
    const key = pathKey(path);
    const state = stateOf(stats);
    if (known.get(key) === state) return;
    known.set(key, state);
    if (waiting.some((source) => pathKey(source.path) === key)) return;
    waiting.push(ownFile(path, stats?.size ?? 0));
    wake();
  };
  watcher.on('add', putInLine);
  watcher.on('change', putInLine);
  watcher.on('unlink', (path) => known.delete(path));
  // Where a name is no UTF-8, it looks for a file that has U+FFFD in its name instead, and finds none.
  watcher.on('raw', (_event, path: string | null) => (mayBeOdd ||= path?.includes('\uFFFD') ?? false));
  watcher.on('error', (error) => {
    const trouble = watchFailure(folder, error);
    if (trouble.path !== null && trouble.path !== folder && absolute(trouble.path) !== root) return onTrouble(trouble);
    failure ??= trouble;
    wake();
  });
  await new Promise<void>((resolve) => {
    wake = resolve;
    watcher.once('ready', resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  // The watcher does not tell of the folder itself.
  const look = async () => {
    const now = await stat(folder).catch(() => null);
    if (now?.dev === dev && now.ino === ino) return;
    failure ??= new CliError('folder_gone', EXIT.failed, `The folder ${folder} is gone; name one to watch.`);
    wake();
  };
  const lookForOdd = async () => {
    if (!mayBeOdd) return;
    mayBeOdd = false;
    const before = odd;
    odd = new Map();
    for (const { path, stats } of await findOdd()) {
      const [key, state] = [pathKey(path), stateOf(stats)];
      odd.set(key, state);
      if (before.get(key) === state) putInLine(path, stats);
      else mayBeOdd = true;
    }
  };
  const looking = setInterval(() => void Promise.all([look(), lookForOdd()]), LOOK_MS);

  async function* sources(): AsyncGenerator<Source> {
    while (!closed) {
      const next = waiting.shift();
      if (next !== undefined) yield next;
      else if (failure !== null) throw failure;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  }

  async function close(): Promise<void> {
    closed = true;
    clearInterval(looking);
    wake();
    await watcher.close();
  }

  if (signal.aborted) await close();
  signal.addEventListener('abort', () => void close(), { once: true });
  return { sources: sources(), waiting, close };
}

/** Changes when the file does. */
function stateOf(stats?: Stats): string {
  return `${stats?.size} ${stats?.mtimeMs} ${stats?.ino}`;
}

function watchFailure(folder: string, error: unknown): CliError {
  const { code, message, path } = error as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM') {
    const words = `The folder ${path ?? folder} cannot be read (${code}); check its permissions.`;
    return new CliError('folder_unreadable', EXIT.failed, words, { cause: error, path: path ?? folder });
  }
  const words =
    code === 'ENOSPC'
      ? 'the system watches no more files; raise fs.inotify.max_user_watches, or watch a smaller folder'
      : message;
  return new CliError('folder_unwatchable', EXIT.failed, `${folder} cannot be watched: ${words}.`, { cause: error });
}

async function requireFolder(folder: string): Promise<Stats> {
  const found = await stat(folder).catch(() => null);
  if (found?.isDirectory() === true) return found;
  throw new CliError('not_a_folder', EXIT.failed, `There is no folder ${folder}; name one to watch.`);
}
