import type { Context } from '../context.ts';
import { CliError, EXIT } from '../errors.ts';
import type { GlobalOptions } from '../program.ts';

export interface ServeOptions extends GlobalOptions {
  /**
   * What was typed, by the option's name without its dashes: the server checks it, and the variables that stand for what
   * was left out.
   */
  settings: Record<string, string>;
}

/** Runs a server until it is asked to stop. */
export async function serve(options: ServeOptions, context: Context): Promise<void> {
  const { io } = context;
  const { createLogger, readConfig, startServer, StartError } = await import('@imgup/server');
  try {
    const config = readConfig({ flags: options.settings, env: context.config().env });
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
