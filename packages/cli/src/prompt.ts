import { Writable, type Readable } from 'node:stream';
import { confirm, password, text } from '@clack/prompts';
import { EXIT, CliError } from './errors.ts';

/** Questions to a person. Each is asked on stderr, so that stdout stays for results. */
export interface Prompt {
  /** @param check says what is wrong with an answer, or nothing */
  username(check: (answer: string) => string | undefined): Promise<string>;
  /** Asks without showing the answer. */
  password(message: string, check: (answer: string) => string | undefined): Promise<string>;
  /** Asks for a yes; "no" is what Enter alone means. */
  confirm(message: string): Promise<boolean>;
}

/** Errors of each question: `CliError` (interrupted) on Ctrl-C, and where the input ends (Ctrl-D). */
export function createPrompt({ stdin, stderr, color }: { stdin: Readable; stderr: Writable; color: boolean }): Prompt {
  const streams = { input: stdin, output: color ? stderr : withoutColor(stderr) };
  const ask = async <T>(question: (signal: AbortSignal) => Promise<T>) => answered(await untilEnd(stdin, question));
  return {
    async username(check) {
      return ask((signal) => text({ message: 'Name', validate: (answer) => check(answer ?? ''), signal, ...streams }));
    },
    async password(message, check) {
      return ask((signal) => password({ message, validate: (answer) => check(answer ?? ''), signal, ...streams }));
    },
    async confirm(message) {
      return ask((signal) => confirm({ message, initialValue: false, signal, ...streams }));
    },
  };
}

/** clack does not notice that its input has ended: readline lets go of it, and the question would stay open for ever. */
async function untilEnd<T>(stdin: Readable, question: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const ended = new AbortController();
  const end = () => ended.abort();
  let pending = true;
  const onKeypress = (_character: unknown, key: { name?: string; ctrl?: boolean }) => {
    if (key.ctrl !== true || key.name !== 'd') return;
    // readline takes Ctrl-D as the end on an empty line alone, and pauses the input then. It sees the key after this.
    setImmediate(() => pending && stdin.isPaused() && end());
  };
  stdin.on('keypress', onKeypress).on('end', end).on('close', end);
  try {
    if (stdin.readableEnded || stdin.destroyed) end();
    return await question(ended.signal);
  } finally {
    pending = false;
    stdin.off('keypress', onKeypress).off('end', end).off('close', end);
  }
}

function answered<T>(answer: T): Exclude<T, symbol> {
  if (typeof answer === 'symbol') throw new CliError('interrupted', EXIT.interrupted, 'Interrupted.');
  return answer as Exclude<T, symbol>;
}

/** clack colours whatever it writes to, so the colours are taken out on the way. */
function withoutColor(stream: Writable): Writable {
  const plain = new Writable({
    write(chunk: Buffer, _encoding, done) {
      // oxlint-disable-next-line no-control-regex -- the sequences that set colours begin with ESC
      stream.write(chunk.toString('utf8').replace(/\u001b\[[0-9;]*m/g, ''), done);
    },
  });
  const { columns, rows } = stream as Writable & { columns?: number; rows?: number };
  return Object.assign(plain, { columns, rows, isTTY: true });
}
