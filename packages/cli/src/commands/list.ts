import type { ImagesResponse } from '@imgup/shared';
import { connectAsUser } from '../api/connect.ts';
import type { Context } from '../context.ts';
import { count } from '../count.ts';
import { usageError } from '../errors.ts';
import type { GlobalOptions } from '../program.ts';
import { readableAge } from '../readable-age.ts';
import { readableSize } from '../readable-size.ts';
import { readableTime } from '../readable-time.ts';
import { printTable } from '../table.ts';

export interface ListOptions extends GlobalOptions {
  /** How many to show. */
  limit?: string;
  all?: boolean;
}

const LIMIT_DEFAULT = 30;

/** The most that a server gives at once. */
const PAGE = 200;

/** Lists the user's pictures, the newest first. */
export async function list(options: ListOptions, context: Context): Promise<void> {
  const { io } = context;
  const limit = limitOf(options);
  const { client, session } = await connectAsUser(context, options);
  const listed: ImagesResponse = { images: [], next: null, total: { pictures: 0, bytes: 0 } };
  do {
    const page = { limit: Math.min(PAGE, limit - listed.images.length), after: listed.next };
    const { images, next, total } = await session.authorized((token) => client.images(token, page));
    listed.images.push(...images);
    Object.assign(listed, { next, total });
  } while (listed.next !== null && listed.images.length < limit);

  if (options.json === true) return io.printJson(listed);
  printPictures(listed, context);
  if (!io.terminal) return;
  const { images, next, total } = listed;
  if (total.pictures === 0) io.note('You have no pictures there yet; `imgup upload photo.png` makes one.');
  else if (next !== null) {
    const all = `${count(total.pictures, 'picture', 'pictures')}, ${readableSize(total.bytes)}`;
    io.note(`The latest ${images.length} of ${all}; --all lists them all.`);
  }
}

function limitOf({ limit, all }: ListOptions): number {
  if (all === true) {
    if (limit !== undefined) throw usageError('Give either --limit or --all.');
    return Number.POSITIVE_INFINITY;
  }
  if (limit === undefined) return LIMIT_DEFAULT;
  if (/^[1-9]\d{0,8}$/.test(limit)) return Number(limit);
  throw usageError('--limit must be a number from 1 on; --all lists everything.');
}

/** How much of a name a terminal is given, in characters. */
const NAME_MAX = 40;

function printPictures({ images }: ImagesResponse, { io, now }: Context): void {
  if (images.length === 0) return;
  const expires = images.some(({ expires_at }) => expires_at !== null);
  const shortened = (name: string) =>
    io.stdout.isTTY === true && name.length > NAME_MAX ? `${name.slice(0, NAME_MAX - 1)}…` : name;
  printTable(io, [
    ['NAME', 'SIZE', 'PIXELS', 'AGE', ...(expires ? ['EXPIRES (UTC)'] : []), 'LINK'],
    ...images.map(({ id, name, bytes, width, height, created_at, expires_at, url }) => [
      shortened(name ?? id),
      readableSize(bytes),
      `${width}×${height}`,
      readableAge(now() - Date.parse(created_at)),
      ...(expires ? [expires_at === null ? '-' : readableTime(expires_at)] : []),
      url,
    ]),
  ]);
}
