import { resolve } from 'node:path';
import type { Context } from '../context.ts';
import { count } from '../count.ts';
import { CliError, EXIT } from '../errors.ts';
import { withDataFolder, type DataOptions } from '../with-data-folder.ts';

/** Copies a server's data, also while it runs, and prints where the copy is. */
export async function adminBackup(target: string, options: DataOptions, context: Context): Promise<void> {
  const { io } = context;
  const signal = context.interrupted();
  const path = resolve(target);
  const { secretPlace, ...summary } = await withDataFolder(options, context, {
    text: 'Backing up',
    writes: false,
    work: async (server, { data, accounts, secrets, secretFile }) => {
      if (accounts !== null) throw accountsElsewhere(data);
      const summary = await server.backupData(data, path, { signal });
      return { ...summary, secretPlace: secrets === null ? secretFile : 'IMGUP_SECRET' };
    },
  });
  if (options.json === true) return io.printJson({ path, ...summary });
  io.print(path);
  const { users, pictures, secret } = summary;
  io.note(
    `Backed up ${count(users, 'user', 'users')} and ${count(pictures, 'picture', 'pictures')}, and read them back.`,
  );
  if (secret) {
    io.note("It holds the server's secret and all accounts: keep it as safe as the server itself.");
  } else {
    io.note(`The secret is not in it: keep ${secretPlace} too, or everyone has to log in again after a restore.`);
  }
}

/** What would be copied then is of no use without what is not. */
function accountsElsewhere(data: string): CliError {
  const message = `The accounts are in the database of IMGUP_ACCOUNTS, which is not copied by this: save it with pg_dump, then copy ${data}/images, if the pictures are there, and keep IMGUP_SECRET.`;
  return new CliError('accounts_in_database', EXIT.failed, message);
}
