import type { Readable, Writable } from 'node:stream';
import { EXIT, CliError } from './errors.ts';
import { printable, printableJson } from './printable.ts';
import { writeWhole } from './write-whole.ts';

/** The three streams of a command. Results go to stdout, everything else to stderr. */
export interface Io {
  readonly stdin: Readable & MaybeTerminal;
  readonly stdout: Writable & MaybeTerminal;
  readonly stderr: Writable & MaybeTerminal;
  /** Whether a person is there to be asked: input and stderr are a terminal. */
  readonly interactive: boolean;
  /** Whether stderr is a terminal on which a line can be drawn anew, for a spinner. */
  readonly terminal: boolean;
  /** Writes one line of the result. Whatever could steer a terminal is taken out. */
  print(line: string): void;
  /** Writes the result as one JSON document. */
  printJson(value: unknown): void;
  /** Writes one line for the person. Whatever could steer a terminal is taken out. */
  note(line: string): void;
  /** Waits until stdout has taken what was written. Errors: `CliError` where it could not, as on a full disk. */
  flush(): Promise<void>;
}

type Streams = Pick<Io, 'stdin' | 'stdout' | 'stderr'>;

interface MaybeTerminal {
  isTTY?: boolean;
  columns?: number;
  rows?: number;
  /** In bits. */
  getColorDepth?: () => number;
}

/** @param drawsLines whether stderr, if it is a terminal, can draw a line anew */
export function createIo(streams: Streams, drawsLines = true): Io {
  const { stdout, stderr } = streams;
  writeWhole(stdout);
  // A terminal that nobody has told its size: a spinner would clear lines without end.
  for (const stream of [stdout, stderr]) if (stream.columns === 0) Object.assign(stream, { columns: 80, rows: 24 });
  let lost: NodeJS.ErrnoException | undefined;
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    // `imgup users | head -1`: the reader has seen enough, which is no failure.
    if (error.code !== 'EPIPE') lost ??= error;
  });
  // There is nowhere left to say it.
  stderr.on('error', () => undefined);
  return {
    // To look at it is to open it, which most commands do not need.
    get stdin() {
      return streams.stdin;
    },
    stdout,
    stderr,
    get interactive() {
      return streams.stdin.isTTY === true && stderr.isTTY === true;
    },
    terminal: stderr.isTTY === true && drawsLines,
    print: (line) => void stdout.write(`${printable(line)}\n`),
    printJson: (value) => void stdout.write(`${printableJson(value)}\n`),
    note: (line) => void stderr.write(`${printable(line)}\n`),
    async flush() {
      // The error of a write is told after its callback.
      await new Promise<void>((resolve) => stdout.write('', () => setImmediate(resolve)));
      if (lost !== undefined) throw outputLost(lost);
    },
  };
}

function outputLost(cause: NodeJS.ErrnoException): CliError {
  const message = `Standard output cannot be written to (${cause.code ?? cause.message}); send it somewhere else.`;
  return new CliError('stdout_unwritable', EXIT.failed, message, { cause });
}
