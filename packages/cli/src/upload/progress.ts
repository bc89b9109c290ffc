import type { Io } from '../io.ts';
import { printable } from '../printable.ts';
import { readableDuration } from '../readable-duration.ts';
import { readableSize } from '../readable-size.ts';
import { spinnerOptions } from '../spinner.ts';
import type { Source } from './sources.ts';

/** One line on the terminal that says how far a batch is. */
export interface Progress {
  /** Bytes of a file that are on their way. */
  sent(source: Source, bytes: number): void;
  /** The file is sent anew, from its start. */
  begun(source: Source): void;
  done(source: Source): void;
  /** Seconds until the next upload may begin; null: none are waited. */
  waiting(seconds: number | null): void;
  /** Writes something else, and shows the line again below it. */
  aside(write: () => void): void;
  stop(): void;
}

interface ProgressOptions {
  io: Io;
  color: boolean;
  sources: Source[];
  /** Milliseconds of a clock that never goes back. */
  now: () => number;
}

/** Below this a bar would be gone before it is seen, in bytes. */
const WORTH_SHOWING = 100_000;

/** For a terminal; ora is loaded only here. */
export async function showProgress({ io, color, sources, now }: ProgressOptions): Promise<Progress> {
  const { default: ora } = await import('ora');
  const total = sources.reduce((sum, { bytes }) => sum + bytes, 0);
  const startedAt = now();
  let done = 0;
  let doneBytes = 0;
  let current: { source: Source; bytes: number } | null = null;
  let seconds: number | null = null;
  let waitedMs = 0;
  let waitingSince = 0;

  const spinner = ora(spinnerOptions(io, color));

  function line(): string {
    const counted = sources.length > 1 ? `${done} of ${sources.length} done` : '';
    if (seconds !== null) return [counted || name(sources[0]), `next in ${readableDuration(seconds)}`].join(', ');
    const file = current === null ? '' : name(current.source);
    const share =
      current !== null && current.source.bytes > WORTH_SHOWING
        ? ` ${Math.floor((100 * current.bytes) / current.source.bytes)} %`
        : '';
    const parts = [counted, file === '' ? '' : `${file}${share}`, total > WORTH_SHOWING ? overall() : ''];
    return parts.filter((part) => part !== '').join(' · ') || `Uploading ${name(sources[0])}`;
  }

  function overall(): string {
    const bytes = doneBytes + (current?.bytes ?? 0);
    const rate = bytes / Math.max(1, (now() - startedAt - waitedMs) / 1000);
    const left =
      rate > 0 && bytes > 0 ? `, ${readableSize(rate)}/s, ${readableDuration((total - bytes) / rate)} left` : '';
    return `${readableSize(bytes)} of ${readableSize(total)}${left}`;
  }

  function show(): void {
    spinner.text = line();
  }

  show();
  spinner.start();
  return {
    begun(source) {
      current = { source, bytes: 0 };
      show();
    },
    sent(source, bytes) {
      if (current?.source !== source) return;
      current.bytes += bytes;
      show();
    },
    done(source) {
      done += 1;
      doneBytes += source.bytes;
      if (current?.source === source) current = null;
      show();
    },
    waiting(next) {
      if (next !== null && seconds === null) waitingSince = now();
      if (next === null && seconds !== null) waitedMs += now() - waitingSince;
      seconds = next;
      show();
    },
    aside(write) {
      spinner.clear();
      write();
      spinner.render();
    },
    stop: () => void spinner.stop(),
  };
}

/** For pipes, and where nothing is to be shown. */
export function noProgress(): Progress {
  const nothing = () => undefined;
  return { begun: nothing, sent: nothing, done: nothing, waiting: nothing, aside: (write) => write(), stop: nothing };
}

function name(source: Source | undefined): string {
  return printable(source?.name ?? '');
}
