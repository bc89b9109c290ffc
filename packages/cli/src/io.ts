import type { Readable, Writable } from 'node:stream';
import { printable, printableJson } from './printable.ts';

/** The three streams of a command. Results go to stdout, everything else to stderr. */
export interface Io {
  readonly stdin: Readable & MaybeTerminal;
  readonly stdout: Writable & MaybeTerminal;
  readonly stderr: Writable & MaybeTerminal;
  /** Whether a person is there to be asked: input and stderr are a terminal. */
  readonly interactive: boolean;
  /** Whether stderr is a terminal, for a spinner. */
  readonly terminal: boolean;
  /** Writes one line of the result. Whatever could steer a terminal is taken out. */
  print(line: string): void;
  /** Writes the result as one JSON document. */
  printJson(value: unknown): void;
  /** Writes one line for the person. Whatever could steer a terminal is taken out. */
  note(line: string): void;
}

interface MaybeTerminal {
  isTTY?: boolean;
}

export function createIo({ stdin, stdout, stderr }: Pick<Io, 'stdin' | 'stdout' | 'stderr'>): Io {
  for (const stream of [stdout, stderr]) stream.on('error', quietWhenGone);
  return {
    stdin,
    stdout,
    stderr,
    interactive: stdin.isTTY === true && stderr.isTTY === true,
    terminal: stderr.isTTY === true,
    print: (line) => void stdout.write(`${printable(line)}\n`),
    printJson: (value) => void stdout.write(`${printableJson(value)}\n`),
    note: (line) => void stderr.write(`${printable(line)}\n`),
  };
}

/** `imgup users | head -1`: the reader has seen enough, which is no failure. */
function quietWhenGone(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}
