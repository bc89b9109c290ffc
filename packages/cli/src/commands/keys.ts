import { connectAsUser } from '../api/connect.ts';
import type { Context } from '../context.ts';
import type { GlobalOptions } from '../program.ts';
import { readableTime } from '../readable-time.ts';
import { shortenIds } from '../shorten-ids.ts';
import { printTable } from '../table.ts';

/** Lists the upload keys of the user, the latest first. */
export async function keys(options: GlobalOptions, context: Context): Promise<void> {
  const { origin, client, session } = await connectAsUser(context, options);
  const answer = await session.authorized((token) => client.keys(token));
  if (options.json === true) return context.io.printJson(answer);
  if (answer.keys.length === 0) {
    return context.io.note(`You have no upload key at ${origin}; \`imgup keys create NAME\` makes one.`);
  }
  const shortIds = shortenIds(answer.keys.map(({ id }) => id));
  printTable(context.io, [
    ['ID', 'NAME', 'MADE (UTC)', 'LAST USED (UTC)'],
    ...answer.keys.map(({ name, created_at, last_used_at }, row) => [
      shortIds[row] ?? '',
      name,
      readableTime(created_at),
      last_used_at === null ? 'never' : readableTime(last_used_at),
    ]),
  ]);
}
