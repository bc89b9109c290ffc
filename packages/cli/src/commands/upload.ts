import { unlink } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { EXPIRY_MAX_MS, EXPIRY_MIN_MS } from '@imgup/shared';
import type { UploadWishes } from '../api/client.ts';
import { connectAsUser } from '../api/connect.ts';
import type { Context } from '../context.ts';
import { count } from '../count.ts';
import { CliError, EXIT, explain, usageError, type ExitCode } from '../errors.ts';
import { aboutFile, readPictureFile } from '../picture-file.ts';
import { printable } from '../printable.ts';
import type { GlobalOptions } from '../program.ts';
import { readableDuration } from '../readable-duration.ts';
import { uploadAll, type Batch, type Result } from '../upload/batch.ts';
import { parseFormat } from '../upload/format.ts';
import { createPace } from '../upload/pace.ts';
import { noProgress, showProgress, type Progress } from '../upload/progress.ts';
import { findSources, splitList, type Source } from '../upload/sources.ts';
import { createSpool, type Spool } from '../upload/spool.ts';
import { createUploadPicture, type Uploaded } from '../upload/upload-picture.ts';

export interface UploadOptions extends GlobalOptions {
  recursive?: boolean;
  include?: string[];
  exclude?: string[];
  filesFrom?: string;
  fromClipboard?: boolean;
  /** What the picture is called, where it is one. */
  name?: string;
  quiet?: boolean;
  verbose?: boolean;
  /** False with `--no-wait`. */
  wait?: boolean;
  format?: string;
  jsonl?: boolean;
  copy?: boolean;
  open?: boolean;
  qr?: boolean;
  deleteAfter?: boolean;
  keepMetadata?: boolean;
  /** A number and a unit: `7d`. */
  expires?: string;
}

/** Puts pictures on the server, and prints their links in the order asked: the only thing that reaches stdout. */
export async function upload(files: string[], given: UploadOptions, context: Context): Promise<void> {
  const options = given.format === 'json' ? { ...given, json: true } : given;
  const wishes = { keepMetadata: options.keepMetadata === true, expires: expiry(options.expires) };
  const format = parseFormat(options.format === undefined || options.format === 'json' ? 'url' : options.format);
  const signal = context.interrupted();
  const spool = createSpool();
  try {
    const sources = await findAll(files, options, context, spool, signal);
    const progress = await progressOf(sources, options, context);
    const links: string[] = [];
    let batch: Batch;
    try {
      batch = await uploadAll(sources, {
        signal,
        begin: prepare(wishes, options, context, progress, signal),
        async onResult(result) {
          progress.done(result.source);
          if (result.image !== null) links.push(format(result.image, result.source.label));
          progress.aside(() => tell(result, { format, options, context, alone: sources.length === 1 }));
          await flushLink(result, context);
        },
      });
    } finally {
      progress.stop();
    }
    const notHandedOn =
      links.length === 0 ? null : await handOn(links, batch, options, context).then(() => null, explain);
    finish(batch, notHandedOn, options, context);
  } finally {
    await spool.remove();
  }
}

async function findAll(
  files: string[],
  options: UploadOptions,
  context: Context,
  spool: Spool,
  signal: AbortSignal,
): Promise<Source[]> {
  const { include = [], exclude = [], recursive = false, name } = options;
  const { stdin } = context.io;
  if ((include.length > 0 || exclude.length > 0) && !recursive) {
    throw usageError('--include and --exclude choose in folders; add -r.');
  }
  const listed = options.filesFrom === undefined ? [] : await readList(options.filesFrom, context);
  const paths = [...files, ...listed];
  if (paths.filter((path) => path === '-').length + (options.filesFrom === '-' ? 1 : 0) > 1) {
    throw usageError('stdin can be read only once; name "-" once.');
  }
  const sources: Source[] = [];
  for (const path of paths) {
    if (path !== '-') sources.push(...(await findSources([path], { recursive, include, exclude })));
    else if (stdin.isTTY === true)
      throw usageError('"-" reads a picture from stdin, which is a terminal; pipe one in.');
    else sources.push(await spool.keep(stdin, { label: 'stdin', name: name ?? 'stdin' }, signal));
  }
  if (options.fromClipboard === true) {
    const { pastePicture } = await import('../clipboard.ts');
    const picture = await pastePicture(context.config().env);
    sources.push(await spool.keep(picture, { label: 'The clipboard', name: name ?? 'clipboard.png' }, signal));
  }
  if (sources.length === 0 && paths.length === 0 && options.filesFrom === undefined) {
    throw usageError('Name a picture, "-" for stdin, or --from-clipboard.');
  }
  if (sources.length === 0)
    throw new CliError('no_pictures', EXIT.failed, 'There is no picture there; check the names.');
  if (name === undefined) return sources;
  if (sources.length > 1) throw usageError('--name is for one picture; leave it out for several.');
  return sources.map((source) => ({ ...source, name }));
}

async function readList(path: string, { io }: Context): Promise<string[]> {
  if (path === '-') return splitList((await buffer(io.stdin)).toString('utf8'));
  const { readFile } = await import('node:fs/promises');
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new CliError('file_not_found', EXIT.failed, `The list ${path} cannot be read; check its name.`, {
      cause: error,
    });
  });
  return splitList(text);
}

async function progressOf(sources: Source[], options: UploadOptions, { io }: Context): Promise<Progress> {
  const silent = !io.terminal || options.quiet === true || options.debug === true;
  if (silent) return noProgress();
  return showProgress({ io, color: options.color, sources, now: () => performance.now() });
}

/** What is done with each file. The server is asked nothing before there is a picture to send. */
function prepare(
  wishes: UploadWishes,
  options: UploadOptions,
  context: Context,
  progress: Progress,
  signal: AbortSignal,
): (source: Source) => Promise<() => Promise<Uploaded>> {
  const { io, now, wait } = context;
  const remark = (line: string) => {
    if (options.verbose === true) progress.aside(() => io.note(line));
  };
  let isTold = false;
  const pace = createPace({
    patient: options.wait !== false,
    now,
    wait,
    onWait(seconds) {
      progress.waiting(seconds);
      if (seconds !== null && !isTold)
        remark(`The upload limit is reached; the next one goes in ${readableDuration(seconds)}.`);
      isTold = seconds !== null;
    },
  });
  const onRetry = (error: unknown, seconds: number) =>
    remark(`${explain(error).message} The next attempt is in ${seconds.toFixed(1)} s.`);
  let way: Promise<ReturnType<typeof createUploadPicture>> | undefined;

  return async (source) => {
    const picture = await readPictureFile(source.path, signal);
    way ??= connectAsUser(context, options, signal).then(({ client, session }) =>
      createUploadPicture({ client, session, pace, wishes, signal, now, wait, onRetry }),
    );
    const { stream } = picture.body;
    const body = { ...picture.body, stream: () => counted(stream(), source, progress) };
    const finish = await (await way)({ ...picture, name: source.name, body });
    return async () => {
      const uploaded = await finish();
      remark(`${source.label}: ${uploaded.created ? 'uploaded' : 'was there already'}`);
      if (options.deleteAfter === true && source.own) await removeSent(source, picture.digest, uploaded, signal);
      return uploaded;
    };
  };
}

async function* counted(
  stream: AsyncIterable<Uint8Array>,
  source: Source,
  progress: Progress,
): AsyncGenerator<Uint8Array> {
  progress.begun(source);
  for await (const chunk of stream) {
    progress.sent(source, chunk.length);
    yield chunk;
  }
}

/** Removes a file that the server has confirmed, unless it is another one by now. */
async function removeSent(source: Source, digest: string, { image }: Uploaded, signal: AbortSignal): Promise<void> {
  const confirmed = Buffer.from(image.source_sha256, 'hex').toString('base64');
  const { digest: present } = await readPictureFile(source.path, signal);
  if (confirmed !== digest || present !== digest) {
    const message = `${source.path} was uploaded, and not deleted: it was changed meanwhile.`;
    throw new CliError('file_changed', EXIT.failed, message);
  }
  await unlink(source.path).catch((error: unknown) => {
    const message = `${source.path} was uploaded, and cannot be deleted; check its folder's permissions.`;
    throw new CliError('file_not_deleted', EXIT.failed, message, { cause: error });
  });
}

interface Telling {
  format: ReturnType<typeof parseFormat>;
  options: UploadOptions;
  context: Context;
  /** Whether it is the only file. */
  alone: boolean;
}

function tell(result: Result, { format, options, context, alone }: Telling): void {
  const { io } = context;
  const { source, status, image } = result;
  if (options.jsonl === true) io.printJson(shown(result));
  else if (image !== null && options.json !== true) io.print(format(image, source.label));
  // A single failure is the command's own.
  if (status === 'failed' && !alone) io.note(`imgup: ${aboutSource(source, result.error).message}`);
  if (image !== null && image.removed.length > 0 && options.quiet !== true) {
    io.note(`${alone ? '' : `${source.label}: `}removed: ${image.removed.map(printable).join(', ')}`);
  }
}

async function flushLink({ image }: Result, { io }: Context): Promise<void> {
  await io.flush().catch((error: unknown) => {
    // The picture is there, and its link must not be lost.
    if (image !== null) io.note(image.url);
    throw error;
  });
}

/** The command's own result: nothing, or the failure that it ends with. Errors: that one. */
function finish(
  { results, stopped }: Batch,
  notHandedOn: CliError | null,
  options: UploadOptions,
  { io }: Context,
): void {
  const number = (status: Result['status']) => results.filter((result) => result.status === status).length;
  const [uploaded, present, failed, left] = [number('uploaded'), number('present'), number('failed'), number('left')];
  const counts = { uploaded, present, failed, left };
  const result = options.jsonl === true ? counts : { files: results.map(shown), ...counts };

  const failure = failureOf(results, stopped) ?? notHandedOn;
  if (failure !== null) {
    if (failure.exitCode === EXIT.limit && results.length > 1 && options.json !== true && options.jsonl !== true) {
      for (const { source, status } of results) if (status === 'left') io.note(source.label);
    }
    const { code, exitCode, message, cause } = failure;
    throw new CliError(code, exitCode, message, { cause, result });
  }
  if (options.json === true && options.jsonl !== true) io.printJson(result);
  else if (results.length > 1 && options.quiet !== true && io.terminal) {
    io.note(`${count(uploaded, 'picture', 'pictures')} uploaded${present > 0 ? `, ${present} there already` : ''}.`);
  }
}

function failureOf(results: Result[], stopped: CliError | null): CliError | null {
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
  const message = `${failures.length} of ${results.length} failed${done > 0 ? `, ${done} uploaded` : ''}; see above.`;
  return new CliError(done > 0 ? 'some_failed' : 'all_failed', code, message);
}

/** As `--json` and `--jsonl` show it. */
function shown({ source, status, image, error }: Result): object {
  const file = source.label;
  if (image !== null) return { file, status, image };
  if (error === null) return { file, status };
  const { code, message, exitCode } = aboutSource(source, error);
  return { file, status, error: { code, message, exit_code: exitCode } };
}

function aboutSource(source: Source, error: CliError): CliError {
  const isNamed = error.message.includes(source.path) || error.message.startsWith(source.label);
  if (isNamed && source.own) return error;
  const { code, exitCode, cause } = error;
  const message = error.message.replaceAll(source.path, source.label);
  return message.startsWith(source.label)
    ? new CliError(code, exitCode, message, { cause })
    : aboutFile(source.label, error);
}

/** `--copy`, `--open` and `--qr`. */
async function handOn(links: string[], { results }: Batch, options: UploadOptions, context: Context): Promise<void> {
  const urls = results.flatMap(({ image }) => (image === null ? [] : [image.url]));
  if (options.qr === true) {
    const { renderUnicodeCompact } = await import('uqr');
    for (const url of urls) context.io.stderr.write(`${renderUnicodeCompact(url)}\n`);
  }
  if (options.copy === true) {
    const { copyText } = await import('../clipboard.ts');
    await copyText(links.join('\n'), context.config().env);
  }
  if (options.open === true) {
    const { default: open } = await import('open');
    for (const url of urls) await open(url);
  }
}

/** Checked here, because a sentence about an option says more than one about a header. */
function expiry(text: string | undefined): UploadWishes['expires'] {
  if (text === undefined) return null;
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)([mhdw])$/.exec(text) ?? [];
  const ms = Number(number) * (UNITS.get(unit) ?? Number.NaN);
  if (ms >= EXPIRY_MIN_MS && ms <= EXPIRY_MAX_MS) return { text, ms };
  throw usageError(`--expires is "${printable(text)}"; give a time from 10m to 365d, such as 30m, 12h, 7d or 4w.`);
}

const MINUTE = 60_000;
const UNITS = new Map([
  ['m', MINUTE],
  ['h', 60 * MINUTE],
  ['d', 24 * 60 * MINUTE],
  ['w', 7 * 24 * 60 * MINUTE],
]);
