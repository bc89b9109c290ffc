import type { MigrateResult } from '@imgup/server';
import type { Context } from '../context.ts';
import { count } from '../count.ts';
import { CliError, EXIT } from '../errors.ts';
import type { GlobalOptions } from '../program.ts';
import { withDataFolder } from '../with-data-folder.ts';
import { FLAW_WORDS } from './admin-check.ts';

export interface AdminMigrateOptions extends GlobalOptions {
  from?: string;
  to?: string;
  accounts?: string;
  images?: string;
  secretFile?: string;
}

/** Moves a data folder to the engines that several servers share, or back. */
export async function adminMigrate(options: AdminMigrateOptions, context: Context): Promise<void> {
  const { io } = context;
  const { from, to } = options;
  const folder = from ?? to;
  if (folder === undefined || (from !== undefined && to !== undefined))
    throw wrongUsage('Name one folder, with --from or with --to.');
  const signal = context.interrupted();
  const leaves = from !== undefined;

  const { migrated, secretPlace, data } = await withDataFolder({ ...options, data: folder }, context, {
    text: 'Migrating',
    writes: true,
    work: async (server, config, say) => {
      const { data, secrets, secretFile } = config;
      const named = options.accounts !== undefined || options.images !== undefined;
      const accounts = named && options.accounts === undefined ? null : config.accounts;
      const images = named && options.images === undefined ? null : config.images;
      if (accounts === null && images === null)
        throw wrongUsage('Name what it is moved to or from, with --accounts, --images or both.');
      const all = {
        accounts,
        images,
        signal,
        onProgress: ({ step, done, of }: { step: 'copying' | 'verifying'; done: number; of: number }) => {
          say(`${step === 'copying' ? 'Copying' : 'Reading back'}: ${done} of ${count(of, 'picture', 'pictures')}`);
        },
      };
      const moved = { accounts: accounts !== null, images: images !== null };
      if (leaves) {
        return {
          data,
          migrated: { ...moved, ...(await server.migrateFrom(data, all)) },
          secretPlace: secrets === null ? secretFile : null,
        };
      }
      if (accounts !== null && secrets === null) throw secretMissing(secretFile);
      const secret = secrets === null || accounts === null ? null : { file: secretFile, secrets };
      return { data, migrated: { ...moved, ...(await server.migrateTo(data, all, secret)) }, secretPlace: secretFile };
    },
  });

  const { flaws, ...rest } = migrated;
  const document = { data, ...rest, findings: flaws };
  if (options.json !== true) for (const { kind, path } of flaws) io.print(`${path}: ${FLAW_WORDS[kind]}`);
  if (flaws.length > 0) {
    const rescue = leaves
      ? `mend it with \`imgup admin check --repair --data ${data}\``
      : 'remove it from the store, or restore an earlier version of it';
    const message = `${count(flaws.length, 'thing is', 'things are')} wrong in the source, and nothing has been finished: ${rescue}, and run this again.`;
    throw new CliError('findings', EXIT.failed, message, { result: document });
  }
  if (options.json === true) return io.printJson(document);
  io.note(`Moved ${whatOf(migrated)}${leaves ? '' : ` to ${data}`}, and read everything back.`);
  if (!leaves)
    return io.note('Do not start the servers on the database or the store again: what they take in is not here.');
  if (migrated.accounts) io.note(secretAdvice(secretPlace));
  io.note(`${data} is as it was, and no server starts on what has moved.`);
}

function whatOf(moved: MigrateResult & { accounts: boolean; images: boolean }): string {
  const { users, sessions, pictures } = moved;
  const parts = [
    ...(moved.accounts ? [count(users, 'user', 'users'), count(sessions, 'session', 'sessions')] : []),
    ...(moved.images ? [count(pictures, 'picture', 'pictures')] : []),
  ];
  return parts.length === 3 ? `${parts[0]}, ${parts[1]} and ${parts[2]}` : parts.join(' and ');
}

/** Not the secret itself, which would stay in the terminal and in whatever logs it. */
function secretAdvice(file: string | null): string {
  if (file === null) return 'The servers need the same IMGUP_SECRET as before.';
  return `The servers need the secret of ${file}, or everyone has to log in again: IMGUP_SECRET=$(cut -d ' ' -f 1 '${file}' | paste -s -d ,)`;
}

function secretMissing(file: string): CliError {
  const message = `Set IMGUP_SECRET to the servers' secret, which goes into ${file}: without it everyone would have to log in again.`;
  return new CliError('secret_missing', EXIT.usage, message);
}

function wrongUsage(message: string): CliError {
  return new CliError('usage', EXIT.usage, message);
}
