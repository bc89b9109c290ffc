import { connectAsUser } from '../api/connect.ts';
import type { Context } from '../context.ts';
import type { GlobalOptions } from '../program.ts';
import { readableTime } from '../readable-time.ts';
import { printTable } from '../table.ts';

/** Shows who is logged in, where, until when, and how many uploads are left. */
export async function whoami(options: GlobalOptions, context: Context): Promise<void> {
  const { origin, client, session } = await connectAsUser(context, options);
  const me = await session.authorized((token) => client.me(token));
  const { uploads, window_seconds, remaining } = me.limits;

  if (options.json === true) {
    return context.io.printJson({
      server: origin,
      username: me.user.username,
      role: me.user.role,
      device: me.session.device,
      session_expires_at: me.session.expires_at,
      credential_store: session.storedIn,
      uploads: { limit: uploads, window_seconds, remaining },
    });
  }
  printTable(context.io, [
    ['name', me.user.username],
    ['role', me.user.role],
    ['server', origin],
    ['device', me.session.device ?? '-'],
    ['session', `until ${readableTime(me.session.expires_at)} UTC`],
    ['tokens', STORED_IN[session.storedIn]],
    ['uploads', `${remaining} of ${uploads} left in ${window_seconds} s`],
  ]);
}

const STORED_IN = {
  keychain: 'in the keychain of this system',
  file: 'in a file that only you can read',
  memory: 'in memory',
  environment: 'in IMGUP_TOKEN',
} as const;
