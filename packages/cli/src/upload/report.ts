import type { Context } from '../context.ts';
import { CliError, EXIT, type ExitCode } from '../errors.ts';
import { aboutFile } from '../picture-file.ts';
import { printable } from '../printable.ts';
import type { Result } from './batch.ts';
import type { Format } from './format.ts';
import type { Source } from './sources.ts';

export interface ReportOptions {
  json?: boolean;
  jsonl?: boolean;
  quiet?: boolean;
}

interface Telling {
  format: Format;
  options: ReportOptions;
  context: Context;
  /** Whether it is the only file. */
  alone: boolean;
}

/** Prints what has become of a file. */
export function tell(result: Result, { format, options, context, alone }: Telling): void {
  const { io } = context;
  const { source, image, error } = result;
  if (options.jsonl === true) io.printJson(shown(result));
  else if (image !== null && options.json !== true) io.print(format(image, source.label));
  // A single failure is the command's own.
  if (error !== null && !alone) io.note(`imgup: ${aboutSource(source, error).message}`);
  if (image !== null && image.removed.length > 0 && options.quiet !== true) {
    io.note(`${alone ? '' : `${source.label}: `}removed: ${image.removed.map(printable).join(', ')}`);
  }
}

/** What the whole command failed with, or null. */
export function failureOf(results: Result[], stopped: CliError | null): CliError | null {
  const done = results.filter(({ image }) => image !== null).length;
  const failures = results.flatMap(({ source, error }) => (error === null ? [] : [aboutSource(source, error)]));
  const [first] = failures;
  if (stopped !== null) {
    if (results.length === 1) return stopped;
    const message = `${stopped.message} ${done} of ${results.length} uploaded; run the same command again for the rest.`;
    return new CliError(stopped.code, stopped.exitCode, message, { cause: stopped });
  }
  if (first === undefined) return null;
  if (results.length === 1) return first;
  const code: ExitCode =
    done > 0
      ? EXIT.partly
      : failures.every(({ exitCode }) => exitCode === first.exitCode)
        ? first.exitCode
        : EXIT.failed;
  const failed = results.filter(({ status }) => status === 'failed').length;
  const parts = [
    ...(failed > 0 ? [`${failed} of ${results.length} failed`] : []),
    ...(done > 0 ? [`${done} uploaded`] : []),
    ...(failures.length > failed ? [`${failures.length - failed} not deleted`] : []),
  ];
  const message = `${parts.join(', ')}; see above.`;
  return new CliError(done > 0 ? 'some_failed' : 'all_failed', code, message);
}

/** As `--json` and `--jsonl` show it. */
export function shown({ source, status, image, error }: Result): object {
  const file = source.label;
  const done = image === null ? { file, status } : { file, status, image };
  if (error === null) return done;
  const { code, message, exitCode } = aboutSource(source, error);
  return { ...done, error: { code, message, exit_code: exitCode } };
}

function aboutSource({ label }: Source, error: CliError): CliError {
  return error.path === null ? aboutFile(label, error) : error;
}
