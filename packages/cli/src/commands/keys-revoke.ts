import type { KeysResponse } from '@imgup/shared';
import { connectAsUser } from '../api/connect.ts';
import type { Context } from '../context.ts';
import { ApiError, CliError, EXIT, usageError } from '../errors.ts';
import type { GlobalOptions } from '../program.ts';
import { ID_LEAST } from '../shorten-ids.ts';

/** Ends one upload key of the user, meant by its name or the beginning of its id. */
export async function keysRevoke(wanted: string, options: GlobalOptions, context: Context): Promise<void> {
  if (wanted === '') throw usageError('Name one key, as `imgup keys` shows it.');
  const { origin, client, session } = await connectAsUser(context, options);
  const { keys } = await session.authorized((token) => client.keys(token));
  const { id, name } = choose(keys, wanted);
  await session.authorized((token) => client.revokeKey(token, id)).catch(unlessRevoked);
  if (options.json === true) return context.io.printJson({ server: origin, revoked: { id, name } });
  context.io.note(`Revoked the upload key "${name}" (${id.slice(0, 8)}) at ${origin}.`);
}

/** Never a guess: what is revoked cannot be had back. */
function choose(keys: KeysResponse['keys'], wanted: string): KeysResponse['keys'][number] {
  const named = keys.filter(({ name }) => name === wanted);
  const byId = wanted.length < ID_LEAST ? [] : keys.filter(({ id }) => id.startsWith(wanted.toLowerCase()));
  const [found, another] = named.length > 0 ? named : byId;
  if (found === undefined) {
    throw new CliError(
      'key_not_found',
      EXIT.failed,
      `You have no upload key whose name is "${wanted}" or whose id begins so; \`imgup keys\` lists them.`,
    );
  }
  if (another !== undefined) {
    throw usageError(
      `"${wanted}" means more than one of your upload keys; write more of the id, as \`imgup keys\` has it.`,
    );
  }
  return found;
}

/** It may have been revoked elsewhere since it was listed. */
function unlessRevoked(error: unknown): void {
  if (!(error instanceof ApiError && error.code === 'not_found')) throw error;
}
