import { connectAsUser } from '../api/connect.ts';
import type { Context } from '../context.ts';
import { eachPicture } from '../pictures/each-picture.ts';
import { findPicture } from '../pictures/find-picture.ts';
import { printable } from '../printable.ts';
import type { GlobalOptions } from '../program.ts';

export interface RmOptions extends GlobalOptions {
  quiet?: boolean;
}

/** Takes pictures back: each is gone for everybody at once. */
export async function rm(named: string[], options: RmOptions, context: Context): Promise<void> {
  const { io } = context;
  const connection = await connectAsUser(context, options, context.interrupted());
  const { client, session } = connection;
  // Found before any goes, so that it is the latest of now.
  const last = named.includes('last') ? (await findPicture('last', connection)).id : '';
  const names = new Set(named.map((name) => (name === 'last' ? last : name)));
  await eachPicture([...names], {
    async work(name) {
      const image = await findPicture(name, connection);
      await session.authorized((token) => client.removeImage(token, image.id));
      if (options.quiet !== true) io.note(`Removed ${printable(image.name ?? image.id)} (${image.url}).`);
      return image;
    },
    shown: (image) => ({ image }),
    json: options.json === true,
    context,
  });
}
