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

/** Errors of each question: `CliError` (interrupted) on Ctrl-C. */
export function createPrompt({ stdin, stderr, color }: { stdin: Readable; stderr: Writable; color: boolean }): Prompt {
  const streams = { input: stdin, output: color ? stderr : withoutColor(stderr) };
  return {
    async username(check) {
      return answered(await text({ message: 'Name', validate: (answer) => check(answer ?? ''), ...streams }));
    },
    async password(message, check) {
      return answered(await password({ message, validate: (answer) => check(answer ?? ''), ...streams }));
    },
    async confirm(message) {
      return answered(await confirm({ message, initialValue: false, ...streams }));
    },
  };
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
