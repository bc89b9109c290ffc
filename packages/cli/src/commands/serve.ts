import type { Context } from '../context.ts';
import { CliError, EXIT } from '../errors.ts';
import type { GlobalOptions } from '../program.ts';

/** Each as it was typed: the server checks them, and the variables that stand for those left out. */
export interface ServeOptions extends GlobalOptions {
  port?: string;
  host?: string;
  data?: string;
  publicUrl?: string;
  uploadLimit?: string;
  loginLimit?: string;
  trustProxy?: string;
  accessTtl?: string;
  maxSize?: string;
  minFree?: string;
  registration?: string;
  logLevel?: string;
  secretFile?: string;
}

/** Runs a server until it is asked to stop. */
export async function serve(options: ServeOptions, context: Context): Promise<void> {
  const { io } = context;
  const { createLogger, readConfig, startServer, StartError } = await import('@imgup/server');
  try {
    const config = readConfig({ flags: flagsOf(options), env: context.config().env });
    const server = await startServer({
      ...config,
      logger: createLogger(config.logLevel, io.stderr),
    });
    const stopped = context.stopRequested();
    if (options.json === true) io.printJson({ url: server.url });
    io.note(`imgup is listening on ${server.url}`);
    await stopped;
    await server.close();
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    const exitCode = error.code === 'config_invalid' ? EXIT.usage : EXIT.failed;
    throw new CliError(error.code, exitCode, error.message, { cause: error });
  }
}

function flagsOf(options: ServeOptions): Record<string, string> {
  const flags = {
    port: options.port,
    host: options.host,
    data: options.data,
    'public-url': options.publicUrl,
    'upload-limit': options.uploadLimit,
    'login-limit': options.loginLimit,
    'trust-proxy': options.trustProxy,
    'access-ttl': options.accessTtl,
    'max-size': options.maxSize,
    'min-free': options.minFree,
    registration: options.registration,
    'log-level': options.logLevel,
    'secret-file': options.secretFile,
  };
  return Object.fromEntries(Object.entries(flags).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
