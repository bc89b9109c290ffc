import { chooseOrigin } from '../api/connect.ts';
import { parseOrigin } from '../api/server-origin.ts';
import { listStored } from '../api/session-store.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT, loginCommand, usageError } from '../errors.ts';
import type { GlobalOptions } from '../program.ts';

/** Chooses the server, or the account at a server, for the commands that follow. */
export async function use(chosen: string, options: GlobalOptions, context: Context): Promise<void> {
  const { io, config, settings, credentials } = context;
  if (chosen === '') throw usageError('The name is empty; give a server or a user.');
  const isServer = chosen.includes('://');
  const origin = isServer ? parseOrigin(chosen, 'the command') : await chooseOrigin(context, options);
  const wanted = isServer ? options.account : chosen;
  const { read, update } = await settings();
  const remembered = (await read()).accounts[origin];

  const stored = (await listStored(await credentials())).filter((each) => each.origin === origin);
  const user =
    wanted === undefined
      ? (stored.find((each) => each.user === remembered) ?? stored[0])?.user
      : stored.find((each) => each.user.toLowerCase() === wanted.toLowerCase())?.user;
  if (user === undefined) {
    const who = wanted === undefined ? '' : ` as ${wanted}`;
    const message = `You are not logged in at ${origin}${who}; run \`${loginCommand(origin)}\`. \`imgup accounts\` lists your log-ins.`;
    throw new CliError('not_logged_in', EXIT.session, message);
  }
  await update((data) => ({
    ...data,
    ...(isServer || options.server !== undefined ? { server: origin } : {}),
    accounts: { ...data.accounts, [origin]: user },
  }));
  const overriding = [
    ...(config().server === undefined ? [] : ['IMGUP_SERVER']),
    ...(config().token === undefined ? [] : ['IMGUP_TOKEN']),
  ];
  for (const variable of overriding) io.note(`${variable} is set and overrides this; unset it.`);
  if (options.json === true) return io.printJson({ server: origin, username: user });
  io.note(`Commands now act as ${user} at ${origin}.`);
}
