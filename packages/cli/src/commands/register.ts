import { beginSession, type BeginSessionOptions } from '../begin-session.ts';
import type { Context } from '../context.ts';
import { describeSession } from '../describe-session.ts';

/** Makes an account at a server, and logs in with it. */
export async function register(options: BeginSessionOptions, context: Context): Promise<void> {
  const session = await beginSession('register', options, context);
  if (options.json === true) return context.io.printJson(describeSession(session));
  const { user, origin } = session;
  context.io.note(
    `Registered and logged in at ${origin} as ${user.username}${user.role === 'admin' ? ', its administrator' : ''}.`,
  );
}
