import { beginSession, type BeginSessionOptions } from '../begin-session.ts';
import type { Context } from '../context.ts';
import { describeSession } from '../describe-session.ts';

/** Logs in at a server, and remembers it where it was named with `--server`. */
export async function login(options: BeginSessionOptions, context: Context): Promise<void> {
  const session = await beginSession('login', options, context);
  if (options.json === true) return context.io.printJson(describeSession(session));
  context.io.note(`Logged in at ${session.origin} as ${session.user.username}.`);
}
