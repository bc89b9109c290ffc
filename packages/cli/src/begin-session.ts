import { DEVICE_MAX, type UserResponse } from '@imgup/shared';
import { readAccountInput } from './account-input.ts';
import { connect, type Connection } from './api/connect.ts';
import { newRecord, type SessionRecord } from './api/session-record.ts';
import { createSessionStore, type SessionStore } from './api/session-store.ts';
import type { Context } from './context.ts';
import { CliError, explain, usageError } from './errors.ts';
import type { GlobalOptions } from './program.ts';
import { unlessAborted } from './unless-aborted.ts';

export interface BeginSessionOptions extends GlobalOptions {
  username?: string;
  passwordStdin?: boolean;
  device?: string;
}

export interface BegunSession {
  user: UserResponse;
  origin: string;
  device: string;
  /** When the session ends if nothing is done with it, in milliseconds since 1970. */
  expires: number;
  storedIn: SessionStore['kind'];
}

/** What registering and logging in have in common: ask, send, store, and remember where and who. */
export function beginSession(
  route: 'register' | 'login',
  options: BeginSessionOptions,
  context: Context,
): Promise<BegunSession> {
  return unlessAborted(begin(route, options, context), context.interrupted());
}

async function begin(
  route: 'register' | 'login',
  options: BeginSessionOptions,
  context: Context,
): Promise<BegunSession> {
  const { origin, client } = await connect(context, options);
  const device = options.device ?? context.config().device;
  if (device.length > DEVICE_MAX) throw usageError(`--device is too long; use at most ${DEVICE_MAX} characters.`);
  if (route === 'register' && willAsk(options, context)) await greet({ origin, client }, context);
  const input = await readAccountInput({ ...options, twice: route === 'register' }, context);
  // Before anything is sent: an account whose log-in cannot be stored would be of no use, and its name taken.
  const credentials = await context.credentials();
  const folder = context.config().folder;
  const intended = createSessionStore({ credentials, folder, origin, user: input.username });
  await intended.exclusively(() => intended.tryOut());

  const { body, serverTime } = await client[route]({ ...input, device });
  const { user } = body;
  const record = newRecord(user.username, body, { serverTime, now: context.now() });
  const store = createSessionStore({ credentials, folder, origin, user: user.username });
  const endQuietly = ({ refresh_token }: SessionRecord) => client.logoutRefresh(refresh_token).catch(() => undefined);

  let replaced: SessionRecord | null;
  try {
    replaced = await store.exclusively(() => replace(store, record));
  } catch (error) {
    await endQuietly(record);
    throw route === 'register' ? accountWithoutSession(error) : error;
  }
  const { update } = await context.settings();
  await update((data) => ({
    ...data,
    ...(options.server === undefined ? {} : { server: origin }),
    accounts: { ...data.accounts, [origin]: user.username },
  }));
  if (replaced !== null) await endQuietly(replaced);
  if (context.config().token !== undefined) {
    context.io.note('IMGUP_TOKEN is set and overrides this log-in; unset it to use the log-in.');
  }
  return { user, origin, device, expires: context.now() + body.refresh_expires_in * 1_000, storedIn: store.kind };
}

function willAsk({ username, passwordStdin }: BeginSessionOptions, { io }: Context): boolean {
  return io.interactive && (username === undefined || passwordStdin !== true);
}

/** Speaks to the server before the person is asked anything, so that no answer is given in vain. */
async function greet({ origin, client }: Connection, { io }: Context): Promise<void> {
  const { body } = await client.about();
  // No refusal: the first account may be made all the same, and only the server knows whether it is.
  if (body.registration === 'closed') io.note(`${origin} takes no new accounts, except for its first.`);
}

async function replace(store: SessionStore, record: SessionRecord): Promise<SessionRecord | null> {
  const before = await store.read();
  await store.write(record);
  return before;
}

function accountWithoutSession(error: unknown): CliError {
  const { code, exitCode, message } = explain(error);
  return new CliError(code, exitCode, `The account was made, but you are not logged in: ${message}`, { cause: error });
}
