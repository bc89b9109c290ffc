import type { Context } from '../context.ts';
import { CliError, EXIT, explain, type ExitCode } from '../errors.ts';

interface EachOptions<T> {
  /** Errors: any. */
  work: (named: string) => Promise<T>;
  /** What `--json` shows of a picture with which all went well. */
  shown: (result: T) => object;
  json: boolean;
  context: Context;
}

/**
 * Does the same with each of several pictures, and prints what became of all with `--json`. One that cannot be had does
 * not stop the others, and is told at once; an end of the session or of the connection, or Ctrl-C, stops them all.
 * Errors: `CliError` where anything failed.
 */
export async function eachPicture<T>(names: string[], { work, shown, json, context }: EachOptions<T>): Promise<void> {
  const { io } = context;
  const pictures: object[] = [];
  const errors: CliError[] = [];
  for (const named of names) {
    try {
      pictures.push({ named, status: 'done', ...shown(await work(named)) });
    } catch (thrown) {
      const error = explain(thrown);
      const { code, message, exitCode } = error;
      errors.push(error);
      pictures.push({ named, status: 'failed', error: { code, message, exit_code: exitCode } });
      // A single failure is the command's own, and so is the one that ends it.
      if (STOPPING.has(exitCode)) throw withResult(error, { pictures });
      if (names.length > 1) io.note(`imgup: ${message}`);
    }
  }
  const [first] = errors;
  if (first === undefined) {
    if (json) io.printJson({ pictures });
    return;
  }
  if (names.length === 1) throw withResult(first, { pictures });
  const message = `${errors.length} of ${names.length} failed; see above.`;
  throw errors.length < names.length
    ? new CliError('some_failed', EXIT.partly, message, { result: { pictures } })
    : new CliError('all_failed', first.exitCode, message, { result: { pictures } });
}

const STOPPING = new Set<ExitCode>([EXIT.usage, EXIT.session, EXIT.unreachable, EXIT.interrupted]);

function withResult({ code, exitCode, message, cause }: CliError, result: object): CliError {
  return new CliError(code, exitCode, message, { cause, result });
}
