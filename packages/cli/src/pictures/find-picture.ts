import type { ImageResponse } from '@imgup/shared';
import type { Connection } from '../api/connect.ts';
import type { Session } from '../api/session.ts';
import { ApiError, CliError, EXIT, usageError } from '../errors.ts';
import { printable } from '../printable.ts';

/** One's own picture, by its id, its link or "last". Errors: `CliError` where there is none. */
export async function findPicture(
  named: string,
  { origin, client, session }: Connection & { session: Session },
): Promise<ImageResponse> {
  requireNames([named]);
  if (named === 'last') {
    const { images } = await session.authorized((token) => client.images(token, { limit: 1, after: null }));
    const [last] = images;
    if (last !== undefined) return last;
    throw new CliError('picture_not_found', EXIT.failed, `You have no pictures at ${origin}.`);
  }
  const none = (cause?: unknown) =>
    new CliError(
      'picture_not_found',
      EXIT.failed,
      `You have no picture ${printable(named)} at ${origin}; \`imgup list\` shows those you have.`,
      { cause },
    );
  const path = linkOf(named)?.pathname ?? null;
  const id = path === null ? named : idIn(path);
  if (id === null || !ID.test(id)) throw none();
  const image = await session
    .authorized((token) => client.image(token, id))
    .catch((error: unknown) => {
      throw error instanceof ApiError && error.code === 'not_found' ? none(error) : error;
    });
  // Whatever stands before the path: links may have begun with something else when this one was copied.
  if (path !== null && new URL(image.url).pathname !== path) throw none();
  return image;
}

/** Errors: `CliError` (usage) where a name is empty, as of a variable that is not set. */
export function requireNames(names: string[]): void {
  if (names.includes('')) throw usageError('The name of a picture is empty; give its id, its link or "last".');
}

/** What can be nothing but a link, without the slash that some programs put behind one; null: something else. */
export function linkOf(named: string): URL | null {
  if (!/^https?:\/\//i.test(named) || !URL.canParse(named)) return null;
  const link = new URL(named);
  link.pathname = link.pathname.replace(/\/+$/, '');
  return link;
}

const ID = /^[0-9a-z]{1,64}$/;

function idIn(path: string): string | null {
  return /^\/i\/[^/]+\/([0-9a-z]+)\.[a-z]+$/.exec(path)?.[1] ?? null;
}
