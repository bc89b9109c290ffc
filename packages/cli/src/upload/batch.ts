import type { ImageResponse } from '@imgup/shared';
import { EXIT, explain, isOfCredentialStore, type CliError, type ExitCode } from '../errors.ts';
import { unlessAborted } from '../unless-aborted.ts';
import type { Source } from './sources.ts';
import type { Uploaded } from './upload-picture.ts';

/** What has become of one file. */
export type Result =
  /** With an error where the local file was to be deleted, and is still there. */
  | { source: Source; status: 'uploaded' | 'present'; image: ImageResponse; error: CliError | null }
  | { source: Source; status: 'failed'; image: null; error: CliError }
  /** It was not tried, or not to its end. */
  | { source: Source; status: 'left'; image: null; error: null };

interface BatchOptions {
  /** What can be done ahead; resolves to the rest, which is done in turn. Errors: any. */
  begin: (source: Source) => Promise<() => Promise<Uploaded>>;
  /** Called for each file that was tried, in the order of the sources. Its errors end the batch. */
  onResult: (result: Result) => Promise<void>;
  signal: AbortSignal;
}

export interface Batch {
  results: Result[];
  /** Why it ended before the last file: interrupted, no log-in to be had, unreachable, or the limit and no patience. */
  stopped: CliError | null;
}

/** Files that are hashed and asked for ahead of the one whose turn it is. */
const AHEAD = 4;

/** Uploads files one after the other; what is wrong with one of them does not stop the others. */
export async function uploadAll(sources: Source[], { begin, onResult, signal }: BatchOptions): Promise<Batch> {
  const begun = new Map<Source, Promise<() => Promise<Uploaded>>>();
  const results: Result[] = [];
  let stopped: CliError | null = null;

  async function attempt(source: Source, index: number): Promise<Result> {
    for (const next of sources.slice(index, index + 1 + AHEAD)) {
      if (begun.has(next)) continue;
      const beginning = begin(next);
      // Its errors are met when its turn comes.
      beginning.catch(() => undefined);
      begun.set(next, beginning);
    }
    try {
      const finish = await unlessAborted(begun.get(source) ?? begin(source), signal);
      begun.delete(source);
      const { image, created, notDeleted = null } = await unlessAborted(finish(), signal);
      return { source, status: created ? 'uploaded' : 'present', image, error: notDeleted };
    } catch (error) {
      const failure = explain(error);
      if (!signal.aborted && !STOPPING.has(failure.exitCode) && !isOfCredentialStore(failure))
        return { source, status: 'failed', image: null, error: failure };
      stopped ??= failure;
      return { source, status: 'left', image: null, error: null };
    }
  }

  for (const [index, source] of sources.entries()) {
    // With the limit reached, what the server has already is still found.
    const goesOn = stopped === null || (stopped as CliError).exitCode === EXIT.limit;
    const result: Result = goesOn ? await attempt(source, index) : { source, status: 'left', image: null, error: null };
    results.push(result);
    if (result.status !== 'left') await onResult(result);
  }
  return { results, stopped };
}

/** No other file would fare better. */
const STOPPING = new Set<ExitCode>([EXIT.session, EXIT.limit, EXIT.unreachable, EXIT.interrupted]);
