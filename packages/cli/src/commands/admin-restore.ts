import { resolve } from 'node:path';
import type { Context } from '../context.ts';
import { count } from '../count.ts';
import { CliError, EXIT } from '../errors.ts';
import { withDataFolder, type DataOptions } from '../with-data-folder.ts';

/** Fills an empty data folder from a backup. */
export async function adminRestore(source: string, options: DataOptions, context: Context): Promise<void> {
  const { io } = context;
  const signal = context.interrupted();
  const { data, ...summary } = await withDataFolder(options, context, {
    text: 'Restoring',
    writes: true,
    work: async (server, { data, accounts }) => {
      if (accounts !== null) throw accountsElsewhere();
      return { data, ...(await server.restoreData(resolve(source), data, { signal })) };
    },
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

function accountsElsewhere(): CliError {
  const message =
    'A backup is of a server that keeps its accounts in its folder, and IMGUP_ACCOUNTS is set: a server with that would not see them. Unset it first; the database is restored with psql or pg_restore.';
  return new CliError('accounts_in_database', EXIT.failed, message);
}
