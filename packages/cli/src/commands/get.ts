import { SMALL_WIDTHS } from '@imgup/shared';
import { connectAsUser } from '../api/connect.ts';
import type { Context } from '../context.ts';
import { usageError } from '../errors.ts';
import { once } from '../once.ts';
import { download, type Download } from '../pictures/download.ts';
import { eachPicture } from '../pictures/each-picture.ts';
import { findPicture, linkOf, requireNames } from '../pictures/find-picture.ts';
import { savePicture } from '../pictures/save-picture.ts';
import type { GlobalOptions } from '../program.ts';
import { withSpinner } from '../spinner.ts';

export interface GetOptions extends GlobalOptions {
  /** A file, a folder that is there, or "-" for stdout. */
  output?: string;
  width?: string;
  force?: boolean;
  quiet?: boolean;
}

interface Saved {
  path: string | null;
  url: string;
  type: string;
  bytes: number;
}

/** Downloads pictures, each under its own name. A link needs no log-in, whoever's it is. */
export async function get(named: string[], options: GetOptions, context: Context): Promise<void> {
  const { io, transport } = context;
  const { output, width } = options;
  if (output === '-' && (named.length > 1 || options.json === true)) {
    throw usageError('`--output -` is for one picture, and not for --json.');
  }
  if (output === '') throw usageError('--output is empty; name a file or a folder.');
  if (width !== undefined && !SMALL_WIDTHS.some((each) => `${each}` === width)) {
    throw usageError(`--width is "${width}"; give one of ${SMALL_WIDTHS.join(', ')}.`);
  }
  requireNames(named);
  const signal = context.interrupted();
  const mine = once(() => connectAsUser(context, options, signal));

  async function find(name: string): Promise<URL> {
    const link = linkOf(name);
    if (link !== null) return link;
    const connection = await mine();
    const { pathname } = new URL((await findPicture(name, connection)).url);
    // What links begin with may be of use from outside alone.
    return new URL(pathname, connection.origin);
  }

  async function fetchAndSave(name: string): Promise<Saved> {
    const url = await find(name);
    if (width !== undefined) url.searchParams.set('w', width);
    const picture = await download(url, { transport, signal });
    const { path, bytes } = await save(picture, url);
    return { path, bytes, url: url.href, type: picture.type };
  }

  async function save(picture: Download, url: URL): Promise<{ path: string | null; bytes: number }> {
    if (output === '-') return { path: null, bytes: await writeOut(picture, context) };
    return savePicture(picture, { url, output, several: named.length > 1, force: options.force === true });
  }

  await eachPicture(named, {
    async work(name) {
      const silent = !io.terminal || options.quiet === true || options.debug === true || output === '-';
      const work = () => fetchAndSave(name);
      const saved = silent
        ? await work()
        : await withSpinner(io, { text: `Fetching ${name}`, color: options.color }, work);
      if (saved.path !== null && options.json !== true) io.print(saved.path);
      return saved;
    },
    shown: (saved) => saved,
    json: options.json === true,
    context,
  });
}

async function writeOut({ chunks }: Download, { io }: Context): Promise<number> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (!io.stdout.write(chunk)) await io.flush();
  }
  return bytes;
}
