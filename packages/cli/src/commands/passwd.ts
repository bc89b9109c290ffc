import { readPasswordChange } from '../account-input.ts';
import { connectAsUser } from '../api/connect.ts';
import type { Context } from '../context.ts';
import type { GlobalOptions } from '../program.ts';
import { unlessAborted } from '../unless-aborted.ts';

export interface PasswdOptions extends GlobalOptions {
  passwordStdin?: boolean;
}

/** Changes the password of the user; every session but the one that is used here ends. */
export async function passwd(options: PasswdOptions, context: Context): Promise<void> {
  const { origin, client, session } = await connectAsUser(context, options);
  const change = await unlessAborted(readPasswordChange(options, context), context.interrupted());
  await session.authorized((token) => client.changePassword(token, change));
  if (options.json === true) return context.io.printJson({ server: origin, other_sessions_ended: true });
  context.io.note(`Your password at ${origin} is changed, and your other sessions have ended; log in there again.`);
}
