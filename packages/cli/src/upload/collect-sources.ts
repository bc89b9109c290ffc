import type { Readable } from 'node:stream';
import type { Context } from '../context.ts';
import { CliError, EXIT, explain, usageError } from '../errors.ts';
import type { FilePath } from '../file-path.ts';
import { restorePaths } from '../raw-arguments.ts';
import { findSources, type Source } from './sources.ts';
import type { Spool } from './spool.ts';

export interface SourceOptions {
  recursive?: boolean;
  include?: string[];
  exclude?: string[];
  filesFrom?: string;
  fromClipboard?: boolean;
  /** What the picture is called, where it is one. */
  name?: string;
}

/**
 * All that an upload was asked for, in the order asked. Errors: `CliError`.
 *
 * @param spool takes what comes from stdin and the clipboard
 */
export async function collectSources(
  files: string[],
  options: SourceOptions,
  context: Context,
  spool: Spool,
  signal: AbortSignal,
): Promise<Source[]> {
  const { include = [], exclude = [], recursive = false, name } = options;
  const words = { '--files-from': options.filesFrom, '--name': name, '--include': include, '--exclude': exclude };
  for (const [option, given = []] of Object.entries(words)) {
    if ([given].flat().includes('')) throw usageError(`${option} is empty; leave it out, or give it a value.`);
  }
  if ((include.length > 0 || exclude.length > 0) && !recursive) {
    throw usageError('--include and --exclude choose in folders; add -r.');
  }
  requireInside('--include', include);
  requireInside('--exclude', exclude);
  const listed = options.filesFrom === undefined ? [] : await listedIn(options.filesFrom, context, signal);
  const paths = [...(await restorePaths(files, context.rawArguments)), ...listed];
  if (paths.filter((path) => path === '-').length + (options.filesFrom === '-' ? 1 : 0) > 1) {
    throw usageError('stdin can be read only once; name "-" once.');
  }

  /** One that is no picture does not stop the others. */
  async function kept(open: () => Promise<Readable>, about: { label: string; name: string }): Promise<Source> {
    try {
      return await spool.keep(await open(), about, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      return { ...about, path: about.label, bytes: 0, own: false, failure: explain(error) };
    }
  }

  const sources: Source[] = [];
  for (const path of paths) {
    if (path !== '-') sources.push(...(await findSources([path], { recursive, include, exclude }, signal)));
    else if (context.io.stdin.isTTY === true)
      throw usageError('"-" reads a picture from stdin, which is a terminal; pipe one in.');
    else sources.push(await kept(async () => context.io.stdin, { label: 'stdin', name: name ?? 'stdin' }));
  }
  if (options.fromClipboard === true) {
    const { pastePicture } = await import('../clipboard.ts');
    const picture = () => pastePicture({ env: context.config().env, signal });
    sources.push(await kept(picture, { label: 'The clipboard', name: name ?? 'clipboard.png' }));
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

/** What is outside of the folder is never taken, and this would say otherwise. */
function requireInside(option: string, globs: string[]): void {
  const outside = globs.find((glob) => glob.split(/[\\/]/).includes('..'));
  if (outside === undefined) return;
  throw usageError(`${option} is "${outside}", which leaves the folder; name the other folder as an argument.`);
}

async function listedIn(list: string, { io }: Context, signal: AbortSignal): Promise<FilePath[]> {
  const { readList } = await import('./read-list.ts');
  return readList(list, io.stdin, signal);
}
