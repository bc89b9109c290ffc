import { stat } from 'node:fs/promises';
import type * as Server from '@imgup/server';
import type { Context } from './context.ts';
import { CliError, EXIT } from './errors.ts';
import type { GlobalOptions } from './program.ts';
import { withSpinner } from './spinner.ts';

/** Each as it was typed; the variables of `imgup serve` stand for those left out. */
export interface DataOptions extends GlobalOptions {
  data?: string;
  secretFile?: string;
  accounts?: string;
  images?: string;
}

interface Work<T> {
  /** What the spinner says. */
  text: string;
  /** Whether it changes the data folder. */
  writes: boolean;
  work: (server: typeof Server, config: Server.ServerConfig, say: (text: string) => void) => Promise<T>;
}

/**
 * Does a server's owner's work on its data folder, which is the one that `imgup serve` would use.
 *
 * Errors: `CliError`.
 */
export async function withDataFolder<T>(
  options: DataOptions,
  { io, config }: Context,
  { text, writes, work }: Work<T>,
): Promise<T> {
  const server = await import('@imgup/server');
  try {
    const { data, secretFile, accounts, images } = options;
    const flags = {
      ...(data !== undefined && { data }),
      ...(secretFile !== undefined && { 'secret-file': secretFile }),
      ...(accounts !== undefined && { accounts }),
      ...(images !== undefined && { images }),
    };
    const serverConfig = server.readConfig({ flags, env: config().env });
    if (writes) await refuseForeignFolder(serverConfig.data);
    const silent = !io.terminal || options.debug === true;
    if (silent) return await work(server, serverConfig, () => undefined);
    return await withSpinner(io, { text, color: options.color }, (say) => work(server, serverConfig, say));
  } catch (error) {
    if (error instanceof server.StartError || error instanceof server.MaintenanceError) {
      const exitCode = error.code === 'config_invalid' ? EXIT.usage : EXIT.failed;
      throw new CliError(error.code, exitCode, error.message, { cause: error });
    }
    throw explainDisk(error);
  }
}

/** What root writes into the folder of a server that runs as somebody else, that server could not read. */
async function refuseForeignFolder(data: string): Promise<void> {
  const owner = await stat(data).then(
    ({ uid }) => uid,
    () => null,
  );
  if (owner === null || owner === 0 || process.getuid?.() !== 0) return;
  const message = `${data} belongs to the user with the number ${owner}: run this as them, with \`sudo -u '#${owner}'\`.`;
  throw new CliError('wrong_user', EXIT.failed, message);
}

/** The usual failures of a disk in a sentence; anything else as it is. */
function explainDisk(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  const path = 'path' in error && typeof error.path === 'string' ? error.path : 'a file';
  switch (error.code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new CliError('disk_full', EXIT.failed, 'The disk is full; make room, and run it again.', { cause: error });
    case 'EACCES':
    case 'EPERM':
      return new CliError(
        'not_permitted',
        EXIT.failed,
        `You may not use ${path}; run this as the user that the server runs as.`,
        { cause: error },
      );
    case 'EROFS':
      return new CliError('read_only', EXIT.failed, `${path} is on a read-only disk; choose another place.`, {
        cause: error,
      });
    default:
      return error;
  }
}
