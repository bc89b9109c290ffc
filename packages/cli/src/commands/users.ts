import { connectAsUser } from '../api/connect.ts';
import type { Context } from '../context.ts';
import type { GlobalOptions } from '../program.ts';
import { printTable } from '../table.ts';

/** Lists the accounts of a server, for its administrator. */
export async function users(options: GlobalOptions, context: Context): Promise<void> {
  const { client, session } = await connectAsUser(context, options);
  const answer = await session.authorized((token) => client.users(token));
  if (options.json === true) return context.io.printJson(answer);
  printTable(context.io, [
    ['NAME', 'ROLE', 'SINCE', 'PASSWORD'],
    ...answer.users.map(({ username, role, created_at, password }) => [
      username,
      role,
      created_at.slice(0, 10),
      password,
    ]),
  ]);
}
