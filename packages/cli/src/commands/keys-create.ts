import { connectAsUser } from '../api/connect.ts';
import type { Context } from '../context.ts';
import type { GlobalOptions } from '../program.ts';

/** Makes an upload key, and prints it: the only time that it is seen. */
export async function keysCreate(name: string, options: GlobalOptions, context: Context): Promise<void> {
  const { origin, client, session } = await connectAsUser(context, options);
  const made = await session.authorized((token) => client.createKey(token, name));
  if (options.json === true) return context.io.printJson(made);
  context.io.print(made.key);
  context.io.note(
    `Made the upload key "${made.name}" at ${origin}. It is shown only this once; \`imgup keys revoke ${made.id.slice(0, 8)}\` ends it.`,
  );
}
