import type { ImageResponse } from '@imgup/shared';
import { connectAsUser } from '../api/connect.ts';
import type { Context } from '../context.ts';
import { explain, usageError } from '../errors.ts';
import { findPicture } from '../pictures/find-picture.ts';
import { GRAPHICS, type Graphics } from '../pictures/graphics.ts';
import type { GlobalOptions } from '../program.ts';
import { readableAge } from '../readable-age.ts';
import { readableSize } from '../readable-size.ts';
import { readableTime } from '../readable-time.ts';
import { printTable } from '../table.ts';

export interface ShowOptions extends GlobalOptions {
  /** How the terminal is given the picture. */
  as?: string;
  /** False with `--no-picture`. */
  picture?: boolean;
}

/** Shows a picture in the terminal, where it can, and what is known of it. */
export async function show(named: string, options: ShowOptions, context: Context): Promise<void> {
  const { io, now } = context;
  const signal = context.interrupted();
  const graphics = await graphicsOf(options, context);
  const connection = await connectAsUser(context, options, signal);
  const image = await findPicture(named, connection);
  if (options.json === true) return io.printJson(image);

  if (graphics !== null) {
    await draw(image, { graphics, origin: connection.origin, signal }, context).catch((error: unknown) => {
      if (signal.aborted) throw error;
      io.note(`imgup: The picture cannot be shown here: ${explain(error).message}`);
    });
  }
  printTable(io, [
    ['link', image.url],
    ['id', image.id],
    ['name', image.name ?? '-'],
    ['type', image.type],
    ['size', `${readableSize(image.bytes)} (${image.bytes} bytes), ${image.width}×${image.height} pixels`],
    ['uploaded', `${readableTime(image.created_at)} UTC (${ago(now() - Date.parse(image.created_at))})`],
    ['expires', image.expires_at === null ? 'never' : `${readableTime(image.expires_at)} UTC`],
    ['removed', image.removed.length === 0 ? 'nothing' : image.removed.join(', ')],
    ['sha256', image.sha256],
  ]);
}

async function graphicsOf({ as, picture, json }: ShowOptions, { io, config }: Context): Promise<Graphics | null> {
  if (as !== undefined) {
    const chosen = GRAPHICS.find((name) => name === as);
    if (chosen === undefined) throw usageError(`--as is "${as}"; give one of ${GRAPHICS.join(', ')}.`);
    return chosen;
  }
  if (picture === false || json === true || io.stdout.isTTY !== true) return null;
  const { terminalGraphics } = await import('../pictures/terminal-graphics.ts');
  return terminalGraphics(io, config().env);
}

/** The width that is asked for: enough for any terminal. */
const WIDTH = '1280';

async function draw(
  { url }: ImageResponse,
  { graphics, origin, signal }: { graphics: Graphics; origin: string; signal: AbortSignal },
  { io, transport }: Context,
): Promise<void> {
  const { download } = await import('../pictures/download.ts');
  const { drawPicture } = await import('../pictures/draw-picture.ts');
  const at = new URL(new URL(url).pathname, origin);
  at.searchParams.set('w', WIDTH);
  const { chunks } = await download(at, { transport, signal });
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  const { columns = 80, rows = 24, getColorDepth } = io.stdout;
  const canvas = {
    columns,
    // So that what is known of it is seen with it.
    rows: Math.max(4, rows - 12),
    colorDepth: getColorDepth?.call(io.stdout) ?? 4,
  };
  io.stdout.write(await drawPicture(Buffer.concat(parts), graphics, canvas));
}

function ago(ms: number): string {
  const age = readableAge(ms);
  return age === 'now' ? age : `${age} ago`;
}
