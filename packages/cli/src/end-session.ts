import type { Client } from './api/client.ts';
import { chooseStored, connect } from './api/connect.ts';
import type { SessionStore } from './api/session-store.ts';
import { createStoredSession, notLoggedIn } from './api/session.ts';
import type { Context } from './context.ts';
import { CliError, explain, usageError } from './errors.ts';
import type { GlobalOptions } from './program.ts';
import { unlessAborted } from './unless-aborted.ts';

export interface EndSessionOptions extends GlobalOptions {
  /** Every session of the user at the server, and not this one alone. */
  all?: boolean;
}

interface EndedSession {
  origin: string;
  user: string;
}

/**
 * Ends the stored session at the server, and forgets it here even where the server cannot be told. Errors: `CliError`,
 * which says so in that case.
 */
export function endSession(options: EndSessionOptions, context: Context): Promise<EndedSession> {
  return unlessAborted(end(options, context), context.interrupted());
}

async function end(options: EndSessionOptions, context: Context): Promise<EndedSession> {
  if (context.config().token !== undefined) {
    throw usageError('IMGUP_TOKEN is set and overrides the stored log-ins; unset it to log out.');
  }
  const { origin, client } = await connect(context, options);
  const store = await chooseStored(context, options, origin);
  // Before the lock is taken, because this may need a refresh, which takes it too.
  const othersGoOn = options.all === true ? await endAll(client, store, context) : null;

  // Under the lock, so that a refresh in another process cannot put the record back.
  const goesOn = await store.exclusively(async () => {
    const record = await store.read();
    if (record === null) {
      if (options.all === true && othersGoOn === null) return null;
      throw othersGoOn ?? notLoggedIn(origin);
    }
    // Which ends its access tokens too.
    const untold = await client.logoutRefresh(record.refresh_token).then(() => null, explain);
    await store.delete().catch((error: unknown) => {
      throw untold === null ? onlyThere(origin, explain(error)) : error;
    });
    return untold;
  });
  const { update } = await context.settings();
  await update((data) => ({ ...data, accounts: without(data.accounts, origin, store.user) }));

  if (goesOn !== null) {
    throw onlyHere(
      `${origin} could not be told, where the session goes on until it ends by itself`,
      othersGoOn ?? goesOn,
    );
  }
  if (othersGoOn !== null) throw onlyHere(`your other sessions at ${origin} go on`, othersGoOn);
  return { origin, user: store.user };
}

async function endAll(client: Client, store: SessionStore, { now }: Context): Promise<CliError | null> {
  try {
    await createStoredSession({ client, store, now }).authorized((token) => client.endSessions(token, 'all'));
    return null;
  } catch (error) {
    return explain(error);
  }
}

function onlyHere(but: string, failure: CliError): CliError {
  const { code, exitCode, message } = failure;
  return new CliError(code, exitCode, `Logged out here, but ${but}: ${message}`, { cause: failure });
}

function onlyThere(origin: string, failure: CliError): CliError {
  const { code, exitCode, message } = failure;
  const ended = `Your session at ${origin} has ended, but what is stored of it could not be deleted`;
  return new CliError(code, exitCode, `${ended}: ${message}`, { cause: failure });
}

function without(accounts: Record<string, string>, origin: string, user: string): Record<string, string> {
  if (accounts[origin] !== user) return accounts;
  const { [origin]: _, ...others } = accounts;
  return others;
}
