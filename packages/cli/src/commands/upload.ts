import type { Context } from '../context.ts';
import { warmUpCredentials } from '../api/connect.ts';
import { count } from '../count.ts';
import { CliError, EXIT, explain, inJson } from '../errors.ts';
import { uploadAll, type Batch, type Result } from '../upload/batch.ts';
import { createBeginUpload, type SendingOptions } from '../upload/begin-upload.ts';
import { collectSources, type SourceOptions } from '../upload/collect-sources.ts';
import type { HandOnOptions } from '../upload/hand-on.ts';
import { withDefaults } from '../upload/defaults.ts';
import { parseFormat } from '../upload/format.ts';
import { noProgress, showProgress, type Progress } from '../upload/progress.ts';
import { failureOf, shown, tell, type ReportOptions } from '../upload/report.ts';
import type { Source } from '../upload/sources.ts';
import { createSpool } from '../upload/spool.ts';
import { unlessAborted } from '../unless-aborted.ts';

export interface UploadOptions extends SourceOptions, SendingOptions, ReportOptions, HandOnOptions {
  format?: string;
}

/** Puts pictures on the server, and prints their links in the order asked: the only thing that reaches stdout. */
export async function upload(files: string[], given: UploadOptions, context: Context): Promise<void> {
  const settings = await (await context.settings()).read();
  warmUpCredentials(context, settings);
  const chosen = withDefaults(given, settings);
  if (chosen.format !== 'json') return uploadChosen(files, chosen, context);
  await uploadChosen(files, { ...chosen, json: true }, context).catch((error: unknown) => {
    throw inJson(error);
  });
}

async function uploadChosen(files: string[], options: UploadOptions, context: Context): Promise<void> {
  const format = parseFormat(options.format);
  const signal = context.interrupted();
  const spool = createSpool();
  try {
    const sources = await unlessAborted(collectSources(files, options, context, spool, signal), signal);
    const progress = await progressOf(sources, options, context);
    const links: string[] = [];
    let batch: Batch;
    try {
      batch = await uploadAll(sources, {
        signal,
        begin: createBeginUpload(options, context, progress, signal),
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
    finish(batch, await handedOn(links, batch, options, context), options, context);
  } finally {
    await spool.remove();
  }
}

async function progressOf(sources: Source[], options: UploadOptions, { io }: Context): Promise<Progress> {
  const silent = !io.terminal || options.quiet === true || options.debug === true;
  if (silent) return noProgress();
  return showProgress({ io, color: options.color, sources, now: () => performance.now() });
}

async function flushLink({ image }: Result, { io }: Context): Promise<void> {
  await io.flush().catch((error: unknown) => {
    // The picture is there, and its link must not be lost.
    if (image !== null) io.note(image.url);
    throw error;
  });
}

/** Why nothing became of that, or null. */
async function handedOn(
  lines: string[],
  { results }: Batch,
  options: UploadOptions,
  context: Context,
): Promise<CliError | null> {
  if (lines.length === 0 || !(options.copy || options.open || options.qr)) return null;
  const urls = results.flatMap(({ image }) => (image === null ? [] : [image.url]));
  const { handOn } = await import('../upload/hand-on.ts');
  return handOn({ lines, urls }, options, context).then(() => null, explain);
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
