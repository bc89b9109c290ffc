import type { BegunSession } from './begin-session.ts';

/** A log-in as `--json` shows it: without its tokens. */
export function describeSession({ user, origin, device, expires, storedIn }: BegunSession): Record<string, string> {
  return {
    server: origin,
    username: user.username,
    role: user.role,
    device,
    session_expires_at: new Date(expires).toISOString(),
    credential_store: storedIn,
  };
}
