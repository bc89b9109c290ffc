import { chooseOrigin } from '../api/connect.ts';
import { listStored } from '../api/session-store.ts';
import type { Context } from '../context.ts';
import type { GlobalOptions } from '../program.ts';
import { readableTime } from '../readable-time.ts';
import { printTable } from '../table.ts';

/** Lists the log-ins that are stored on this machine, without asking any server. */
export async function accounts(options: GlobalOptions, context: Context): Promise<void> {
  const { io, config, settings, credentials } = context;
  const origin = await chooseOrigin(context, options);
  const remembered = (await (await settings()).read()).accounts;
  const stored = await listStored(await credentials());
  const listed = stored.map(({ origin: server, user, record }) => ({
    server,
    username: user,
    /** Whether commands act as it when nothing else is said. */
    current: server === origin && user === remembered[server],
    session_expires_at: new Date(record.refresh_expires).toISOString(),
  }));
  if (options.json === true) return io.printJson({ accounts: listed });
  if (listed.length > 0) {
    printTable(io, [
      ['NAME', 'SERVER', 'ENDS IF UNUSED (UTC)'],
      ...listed.map(({ server, username, current, session_expires_at }) => [
        username,
        server,
        readableTime(session_expires_at),
        current ? 'in use' : '',
      ]),
    ]);
  } else if (io.terminal) io.note('You are logged in nowhere; `imgup login` or `imgup register` changes that.');
  if (config().token !== undefined) io.note('IMGUP_TOKEN is set and overrides these; unset it to use them.');
}
