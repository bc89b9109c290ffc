import { connectAsUser } from '../api/connect.ts';
import type { Context } from '../context.ts';
import type { GlobalOptions } from '../program.ts';
import { readableTime } from '../readable-time.ts';
import { shortenIds } from '../shorten-ids.ts';
import { printTable } from '../table.ts';

/** Lists the log-ins of the user, the latest first. */
export async function sessions(options: GlobalOptions, context: Context): Promise<void> {
  const { client, session } = await connectAsUser(context, options);
  const answer = await session.authorized((token) => client.sessions(token));
  if (options.json === true) return context.io.printJson(answer);
  const shortIds = shortenIds(answer.sessions.map(({ id }) => id));
  printTable(context.io, [
    ['ID', 'DEVICE', 'LOGGED IN (UTC)', 'LAST USED (UTC)', 'ENDS (UTC)'],
    ...answer.sessions.map(({ device, created_at, last_used_at, expires_at, current }, row) => [
      shortIds[row] ?? '',
      device ?? '-',
      readableTime(created_at),
      readableTime(last_used_at),
      readableTime(expires_at),
      current ? 'this one' : '',
    ]),
  ]);
}
