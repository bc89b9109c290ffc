import type { MeResponse } from '@imgup/shared';
import { chooseOrigin, connect, connectAsUser } from '../api/connect.ts';
import { proxyFor, shownProxy } from '../api/proxy.ts';
import { SERVICE } from '../credentials/credential-store.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT, explain } from '../errors.ts';
import type { GlobalOptions } from '../program.ts';
import { readableDuration } from '../readable-duration.ts';
import { readableTime } from '../readable-time.ts';
import { printTable } from '../table.ts';
import { unlessAborted } from '../unless-aborted.ts';

interface Check {
  name: string;
  status: 'ok' | 'warning' | 'failed';
  /** What was found, and where it is not well, what to do. */
  message: string;
}

type Finding = Omit<Check, 'name'>;

const ok = (message: string): Finding => ({ status: 'ok', message });
const warning = (message: string): Finding => ({ status: 'warning', message });

/** A clock that is off by more than this makes what people see of times wrong, in milliseconds. */
const SKEW_MAX_MS = 60_000;

/**
 * Looks at everything that an upload needs, and says of each part what to do where it is not well.
 *
 * @param version this program's
 */
export async function doctor(version: string, options: GlobalOptions, context: Context): Promise<void> {
  const { io, config } = context;
  const signal = context.interrupted();
  const checks: Check[] = [];

  /** What was looked at, or null where that failed. */
  async function look<T>(name: string, work: () => Promise<T>, find: (found: T) => Finding): Promise<T | null> {
    try {
      const found = await unlessAborted(work(), signal);
      checks.push({ name, ...find(found) });
      return found;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      checks.push({ name, status: 'failed', message: explain(error).message });
      return null;
    }
  }

  const itself = `${version}, on Node ${process.versions.node}, ${process.platform}`;
  checks.push({ name: 'imgup', ...ok(itself) });
  const readSettings = async () => (await context.settings()).read();
  await look('settings', readSettings, () => ok(`in ${config().folder}`));
  const server = await look(
    'server',
    () => greet(options, context, signal),
    ({ origin, tookMs }) => ok(`${origin} answers in ${tookMs} ms`),
  );
  const way = async () => proxyFor(await chooseOrigin(context, options), config().proxy);
  await look('proxy', way, (proxy) => ok(proxy === null ? 'none is used' : `${shownProxy(proxy)} is used`));
  if (server !== null) {
    checks.push({ name: 'version', ...compareVersions(version, server.version) });
    checks.push({ name: 'clock', ...compareClocks(server.skewMs) });
  }
  await look('credentials', () => tryCredentials(context), ok);
  if (server !== null) {
    const me = await look(
      'login',
      async () => {
        const { client, session } = await connectAsUser(context, options, signal);
        return session.authorized((token) => client.me(token));
      },
      ({ user, session }) => ok(`${user.username}, until ${readableTime(session.expires_at)} UTC`),
    );
    if (me !== null) checks.push({ name: 'limit', ...describeLimit(me.limits) });
  }
  finish(checks, options, io);
}

async function greet(options: GlobalOptions, context: Context, signal: AbortSignal) {
  const { origin, client } = await connect(context, options, signal);
  const startedAt = performance.now();
  const { body, serverTime } = await client.about();
  return {
    origin,
    version: body.version,
    tookMs: Math.ceil(performance.now() - startedAt),
    /** How far this machine's clock is ahead of the server's; null where the server does not say. */
    skewMs: serverTime === null ? null : context.now() - serverTime,
  };
}

function finish(checks: Check[], options: GlobalOptions, io: Context['io']): void {
  const failed = checks.filter(({ status }) => status === 'failed').length;
  if (options.json !== true)
    printTable(
      io,
      checks.map(({ name, status, message }) => [status, name, message]),
    );
  if (failed > 0) {
    const message = `${failed} of ${checks.length} checks failed; see above for what to do.`;
    throw new CliError('checks_failed', EXIT.failed, message, { result: { checks } });
  }
  if (options.json === true) io.printJson({ checks });
}

function compareVersions(ours: string, theirs: string): Finding {
  const [major, minor] = ours.split('.');
  const [theirMajor, theirMinor] = theirs.split('.');
  if (major === theirMajor && minor === theirMinor) return ok(`the server's is ${theirs}`);
  return warning(`the server's is ${theirs}, and this is ${ours}; update the older of them if something fails`);
}

function compareClocks(skewMs: number | null): Finding {
  if (skewMs === null) return warning('the server does not tell its time; a proxy may take out the Date header');
  const off = readableDuration(Math.abs(skewMs) / 1000);
  if (Math.abs(skewMs) <= SKEW_MAX_MS) return ok("this machine's agrees with the server's");
  return warning(
    `this machine's is ${off} ${skewMs > 0 ? 'ahead of' : 'behind'} the server's; set the one that is wrong (uploads work all the same)`,
  );
}

function describeLimit({ uploads, window_seconds, remaining }: MeResponse['limits']): Finding {
  return (remaining > 0 ? ok : warning)(`${remaining} of ${uploads} uploads left in ${window_seconds} s`);
}

/** Writes, reads and deletes something of no meaning: the only proof that a store works. */
async function tryCredentials({ credentials, config }: Context): Promise<string> {
  if (config().token !== undefined) return 'IMGUP_TOKEN is used, and the stored log-ins are not';
  const store = await credentials();
  // No origin has a space in it, so this is nobody's log-in.
  const account = `trial ${process.pid}`;
  await store.setPassword(SERVICE, account, account);
  const kept = await store.getPassword(SERVICE, account);
  await store.deletePassword(SERVICE, account);
  if (kept !== account) {
    throw new CliError(
      'credentials_lost',
      EXIT.failed,
      'What is stored does not come back; use IMGUP_CREDENTIAL_STORE=file.',
    );
  }
  if (store.kind === 'keychain') return 'in the keychain of this system';
  return 'in a file that only you can read; IMGUP_CREDENTIAL_STORE=keychain insists on a keychain';
}
