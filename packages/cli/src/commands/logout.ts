import type { Client } from '../api/client.ts';
import { chooseStored, connect } from '../api/connect.ts';
import type { SessionRecord } from '../api/session-record.ts';
import { isTokenRefusal, notLoggedIn } from '../api/session.ts';
import type { Context } from '../context.ts';
import { CliError, explain, usageError } from '../errors.ts';
import type { GlobalOptions } from '../program.ts';

/** Ends the session at the server, and forgets it here even where the server cannot be told. */
export async function logout(options: GlobalOptions, context: Context): Promise<void> {
  if (context.config().token !== undefined) {
    throw usageError('IMGUP_TOKEN is set and overrides the stored log-ins; unset it to log out.');
  }
  const { origin, client } = await connect(context, options);
  const store = await chooseStored(context, options, origin);

  // Under the lock, so that a refresh in another process cannot put the record back.
  const failure = await store.exclusively(async () => {
    const record = await store.read();
    if (record === null) throw notLoggedIn(origin);
    try {
      await tellServer(client, record);
      return null;
    } catch (error) {
      return explain(error);
    } finally {
      await store.delete();
    }
  });
  const { update } = await context.settings();
  await update((data) => ({ ...data, accounts: without(data.accounts, origin, store.user) }));

  if (failure !== null) {
    throw new CliError(
      failure.code,
      failure.exitCode,
      `Logged out here, but ${origin} could not be told, where the session goes on until it ends by itself: ${failure.message}`,
      { cause: failure },
    );
  }
  if (options.json === true) return context.io.printJson({ server: origin, username: store.user });
  context.io.note(`Logged out at ${origin} as ${store.user}.`);
}

async function tellServer(client: Client, { access_token, refresh_token }: SessionRecord): Promise<void> {
  await client.logoutAccess(access_token).catch((error: unknown) => {
    // A token that the server no longer takes needs no revoking.
    if (!isTokenRefusal(error)) throw error;
  });
  await client.logoutRefresh(refresh_token);
}

function without(accounts: Record<string, string>, origin: string, user: string): Record<string, string> {
  if (accounts[origin] !== user) return accounts;
  const { [origin]: _, ...others } = accounts;
  return others;
}
