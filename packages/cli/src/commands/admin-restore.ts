import { resolve } from 'node:path';
import type { Context } from '../context.ts';
import { count } from '../count.ts';
import { withDataFolder, type DataOptions } from '../with-data-folder.ts';

/** Fills an empty data folder from a backup. */
export async function adminRestore(source: string, options: DataOptions, context: Context): Promise<void> {
  const { io } = context;
  const signal = context.interrupted();
  const { data, ...summary } = await withDataFolder(options, context, {
    text: 'Restoring',
    writes: true,
    work: async (server, { data }) => ({ data, ...(await server.restoreData(resolve(source), data, { signal })) }),
  });
  if (options.json === true) return io.printJson({ data, ...summary });
  const { users, pictures, secret } = summary;
  io.note(`Restored ${count(users, 'user', 'users')} and ${count(pictures, 'picture', 'pictures')} into ${data}.`);
  if (!secret) {
    io.note(
      'The backup holds no secret: start the server with the one that was kept, or everyone has to log in again.',
    );
  }
}
