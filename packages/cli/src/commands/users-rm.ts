import { USERNAME_PATTERN } from '@imgup/shared';
import { connectAsUser } from '../api/connect.ts';
import type { Context } from '../context.ts';
import { ApiError, CliError, EXIT, usageError } from '../errors.ts';
import type { GlobalOptions } from '../program.ts';

export interface UsersRmOptions extends GlobalOptions {
  keepImages?: boolean;
  yes?: boolean;
}

/** Removes an account, its sessions and its pictures, for an administrator, who is asked before. */
export async function usersRm(name: string, options: UsersRmOptions, context: Context): Promise<void> {
  const keepImages = options.keepImages === true;
  if (options.yes !== true && !context.io.interactive) {
    throw usageError('There is no terminal to ask on whether you are sure; say so with --yes.');
  }
  const { origin, client, session } = await connectAsUser(context, options);
  const gone = (cause?: unknown) =>
    new CliError('user_not_found', EXIT.failed, `${origin} has no account "${name}"; \`imgup users\` lists them.`, {
      cause,
    });
  // Some of what is no name would be another address in a URL.
  if (!USERNAME_PATTERN.test(name)) throw gone();

  if (options.yes !== true) {
    const prompt = await context.prompt(options.color);
    const pictures = keepImages ? 'their pictures stay' : 'and all their pictures';
    const sure = await prompt.confirm(`Remove ${name} from ${origin} for good, ${pictures}?`);
    if (!sure) throw new CliError('declined', EXIT.failed, 'Nothing was removed.');
  }
  await session
    .authorized((token) => client.removeUser(token, name, { keepImages }))
    .catch((error: unknown) => {
      throw error instanceof ApiError && error.code === 'not_found' ? gone(error) : error;
    });
  if (options.json === true) {
    return context.io.printJson({ server: origin, username: name, images: keepImages ? 'kept' : 'removed' });
  }
  context.io.note(`Removed ${name} from ${origin}${keepImages ? '; their pictures stay' : ', and their pictures'}.`);
}
