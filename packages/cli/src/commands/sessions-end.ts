import type { SessionsResponse } from '@imgup/shared';
import { connectAsUser } from '../api/connect.ts';
import type { Context } from '../context.ts';
import { endSession } from '../end-session.ts';
import { ApiError, CliError, EXIT, usageError } from '../errors.ts';
import type { GlobalOptions } from '../program.ts';
import { ID_LEAST } from '../shorten-ids.ts';

export interface SessionsEndOptions extends GlobalOptions {
  others?: boolean;
}

/** Ends one log-in of the user, named by the beginning of its id, or all but the one that is used here. */
export async function sessionsEnd(
  prefix: string | undefined,
  options: SessionsEndOptions,
  context: Context,
): Promise<void> {
  const others = options.others === true;
  if (others === (prefix !== undefined) || prefix === '') {
    throw usageError('Name one session, as `imgup sessions` shows it, or use --others.');
  }
  const { origin, client, session } = await connectAsUser(context, options);
  const { sessions } = await session.authorized((token) => client.sessions(token));
  const ended = prefix === undefined ? sessions.filter(({ current }) => !current) : [choose(sessions, prefix)];

  if (others) {
    await session.authorized((token) => client.endSessions(token, 'others'));
  } else {
    for (const { id, current } of ended) {
      // What is stored here would be of no more use, and goes too.
      if (current && session.storedIn !== 'environment') await endSession(options, context);
      else await session.authorized((token) => client.endSession(token, id)).catch(unlessEnded);
    }
  }
  if (options.json === true) return context.io.printJson({ server: origin, ended: ended.map(({ id }) => id) });
  for (const { id, device, current } of ended) {
    context.io.note(`Ended ${current ? 'this session' : `the session ${id.slice(0, 8)}`} (${device ?? 'no device'}).`);
  }
  if (ended.length === 0) context.io.note(`You have no other session at ${origin}.`);
}

type Listed = SessionsResponse['sessions'][number];

function choose(sessions: Listed[], prefix: string): Listed {
  if (prefix.length < ID_LEAST) {
    throw usageError(`"${prefix}" is too short to be sure; write ${ID_LEAST} characters of the id, or more.`);
  }
  const wanted = prefix.toLowerCase();
  const [found, another] = sessions.filter(({ id }) => id.toLowerCase().startsWith(wanted));
  if (found === undefined) {
    throw new CliError(
      'session_not_found',
      EXIT.failed,
      `You have no session whose id begins with "${prefix}"; \`imgup sessions\` lists them.`,
    );
  }
  if (another !== undefined) {
    throw usageError(`More than one of your sessions begins with "${prefix}"; write more of the id.`);
  }
  return found;
}

/** It may have ended by itself since it was listed. */
function unlessEnded(error: unknown): void {
  if (!(error instanceof ApiError && error.code === 'not_found')) throw error;
}
