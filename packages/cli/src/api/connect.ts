import { DEFAULT_SERVER } from '@imgup/shared';
import type { Context } from '../context.ts';
import type { GlobalOptions } from '../program.ts';
import type { SettingsData } from '../settings.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { createClient, type Client } from './client.ts';
import { createDebugTransport } from './debug-transport.ts';
import { parseOrigin, requirePrivateWay } from './server-origin.ts';
import { createSessionStore, findStoredUser, type SessionStore } from './session-store.ts';
import { createStoredSession, createTokenSession, notLoggedIn, type Session } from './session.ts';

/** A server, and the way to speak to it. */
export interface Connection {
  origin: string;
  client: Client;
}

/**
 * Chooses the server: `--server`, then `IMGUP_SERVER`, then the one remembered at a log-in, then this machine's.
 *
 * @param signal ends whatever is under way
 */
export async function connect(
  context: Context,
  options: GlobalOptions,
  signal = context.interrupted(),
): Promise<Connection> {
  const origin = await chooseOrigin(context, options);
  requirePrivateWay(origin, options.insecureHttp === true);
  const transport = await context.transport(origin);
  const client = createClient({
    origin,
    transport: options.debug === true ? createDebugTransport(transport, context.io.note) : transport,
    signal,
  });
  return { origin, client };
}

/** As `connect`, with the right to act as a user: `IMGUP_TOKEN`, then `--account`, then who has last logged in there. */
export async function connectAsUser(
  context: Context,
  options: GlobalOptions,
  signal = context.interrupted(),
): Promise<Connection & { session: Session }> {
  const connection = await connect(context, options, signal);
  const { token } = context.config();
  if (token !== undefined) return { ...connection, session: createTokenSession(token, connection.origin) };
  const store = await unlessAborted(chooseStored(context, options, connection.origin), signal);
  const session = createStoredSession({ client: connection.client, store, now: context.now });
  // Ctrl-C does not wait for a keychain that is silent, nor for another process's lock.
  const authorized: Session['authorized'] = (work) => unlessAborted(session.authorized(work), signal);
  return { ...connection, session: { ...session, authorized } };
}

/**
 * Starts the keychain's process, which takes longer than all that comes before it is asked. It is asked nothing, so it may
 * turn out not to be needed, and whatever is wrong with it is met by who asks.
 */
export function warmUpCredentials(context: Context, settings: SettingsData): void {
  const { credentialStore, token } = context.config();
  if (token !== undefined || (credentialStore ?? settings.credential_store) !== 'keychain') return;
  context.credentials(settings).catch(() => undefined);
}

/** The stored log-in that the options mean. Errors: `CliError` (session) where there is none. */
export async function chooseStored(context: Context, options: GlobalOptions, origin: string): Promise<SessionStore> {
  const settings = await context.settings();
  const remembered = (await settings.read()).accounts[origin];
  const wanted = options.account ?? remembered;
  if (wanted === undefined) throw notLoggedIn(origin);
  const credentials = await context.credentials();
  const user = wanted === remembered ? wanted : ((await findStoredUser(credentials, origin, wanted)) ?? wanted);
  return createSessionStore({ credentials, folder: context.config().folder, origin, user });
}

/** `https://host[:port]` of the server that the options, the environment or the settings mean. Errors: `CliError` (usage). */
export async function chooseOrigin(context: Context, options: GlobalOptions): Promise<string> {
  if (options.server !== undefined) return parseOrigin(options.server, '--server');
  const { server } = context.config();
  if (server !== undefined) return parseOrigin(server, 'IMGUP_SERVER');
  const remembered = (await (await context.settings()).read()).server;
  return remembered === undefined ? DEFAULT_SERVER : parseOrigin(remembered, 'config.json');
}
