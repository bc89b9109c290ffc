import type { Context } from '../context.ts';
import { endSession, type EndSessionOptions } from '../end-session.ts';

/** Ends the session at the server, and forgets it here even where the server cannot be told. */
export async function logout(options: EndSessionOptions, context: Context): Promise<void> {
  const { origin, user } = await endSession(options, context);
  if (options.json === true) return context.io.printJson({ server: origin, username: user });
  context.io.note(
    `Logged out at ${origin} as ${user}${options.all === true ? ', and everywhere else that you were logged in' : ''}.`,
  );
}
