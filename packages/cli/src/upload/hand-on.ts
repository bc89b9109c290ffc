import { copyText } from '../clipboard.ts';
import type { Context } from '../context.ts';
import { openLinks } from '../open-links.ts';

export interface HandOnOptions {
  copy?: boolean;
  open?: boolean;
  qr?: boolean;
}

interface Links {
  /** As they are printed. */
  lines: string[];
  urls: string[];
}

/**
 * `--qr`, `--open` and `--copy`. Errors: `CliError` where nothing was copied: what is pasted then would be something else.
 * Nothing opened is said, and no failure: the links are printed.
 */
export async function handOn({ lines, urls }: Links, options: HandOnOptions, context: Context): Promise<void> {
  const { io, config, wait } = context;
  const surroundings = { env: config().env, signal: context.interrupted(), wait };
  if (options.qr === true) {
    const { renderUnicodeCompact } = await import('uqr');
    for (const url of urls) io.stderr.write(`${renderUnicodeCompact(url)}\n`);
  }
  if (options.open === true) {
    const trouble = await openLinks(urls, surroundings);
    const what = urls.length === 1 ? 'The link was' : 'The links were';
    if (trouble !== null) io.note(`imgup: ${what} not opened: ${trouble}.`);
  }
  if (options.copy === true) await copyText(lines.join('\n'), surroundings);
}
