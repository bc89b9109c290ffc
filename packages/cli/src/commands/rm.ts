import type { ImageResponse } from '@imgup/shared';
import { connectAsUser } from '../api/connect.ts';
import type { Context } from '../context.ts';
import { CliError, explain } from '../errors.ts';
import { eachPicture } from '../pictures/each-picture.ts';
import { findPicture, requireNames } from '../pictures/find-picture.ts';
import { printable } from '../printable.ts';
import type { GlobalOptions } from '../program.ts';

export interface RmOptions extends GlobalOptions {
  quiet?: boolean;
}

/** Takes pictures back: each is gone for everybody at once. */
export async function rm(named: string[], options: RmOptions, context: Context): Promise<void> {
  const { io } = context;
  requireNames(named);
  const connection = await connectAsUser(context, options);
  const { client, session } = connection;
  // All are found before any goes: "last" is the latest of now, and one that is named in two ways is there for both.
  const found = new Map<string, ImageResponse | CliError>();
  const ids = new Set<string>();
  for (const name of new Set(named)) {
    const image = await findPicture(name, connection).catch(explain);
    if (image instanceof CliError && image.code !== 'picture_not_found') throw image;
    const key = image instanceof CliError ? name : image.id;
    if (!ids.has(key)) found.set(name, image);
    ids.add(key);
  }
  await eachPicture([...found.keys()], {
    async work(name) {
      const image = found.get(name) ?? (await findPicture(name, connection));
      if (image instanceof CliError) throw image;
      await session.authorized((token) => client.removeImage(token, image.id));
      if (options.quiet !== true) io.note(`Removed ${printable(image.name ?? image.id)} (${image.url}).`);
      return image;
    },
    shown: (image) => ({ image }),
    json: options.json === true,
    context,
  });
}
