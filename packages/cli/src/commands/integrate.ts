import { KEY_PATTERN } from '@imgup/shared';
import { connect, connectAsUser } from '../api/connect.ts';
import type { Context } from '../context.ts';
import { ApiError, CliError, EXIT, usageError } from '../errors.ts';
import { curlIntegration } from '../integrations/curl.ts';
import { flameshotIntegration } from '../integrations/flameshot.ts';
import type { Integration } from '../integrations/integration.ts';
import { picgoIntegration } from '../integrations/picgo.ts';
import { sharexIntegration } from '../integrations/sharex.ts';
import type { GlobalOptions } from '../program.ts';

export interface IntegrateOptions extends GlobalOptions {
  key?: string;
}

const INTEGRATIONS = {
  sharex: sharexIntegration,
  flameshot: flameshotIntegration,
  picgo: picgoIntegration,
  curl: curlIntegration,
} satisfies Record<string, Integration>;

export type Tool = keyof typeof INTEGRATIONS;

/** Prints the configuration with which another program uploads, with a key of its own unless one is given. */
export async function integrate(tool: Tool, options: IntegrateOptions, context: Context): Promise<void> {
  const { io } = context;
  const { origin, key, made } =
    options.key === undefined
      ? await makeKey(tool, options, context)
      : { ...(await checkKey(options.key, options, context)), made: null };
  const { configuration, advice } = INTEGRATIONS[tool](origin, key);
  if (options.json === true) return io.printJson({ server: origin, tool, key_made: made, configuration, advice });
  for (const line of configuration.split('\n')) io.print(line);
  if (made !== null) {
    io.note(`Made the upload key "${made.name}" at ${origin}; \`imgup keys revoke ${made.id.slice(0, 8)}\` ends it.`);
  }
  for (const line of advice) io.note(line);
  io.note('It holds the key: whoever can read it can upload as you.');
}

async function makeKey(tool: Tool, options: IntegrateOptions, context: Context) {
  const { origin, client, session } = await connectAsUser(context, options);
  const { id, name, key } = await session.authorized((token) => client.createKey(token, tool));
  return { origin, key, made: { id, name } };
}

/** A key that does not work is found here, and not by the program that is configured with it. */
async function checkKey(key: string, options: IntegrateOptions, context: Context) {
  if (!KEY_PATTERN.test(key)) {
    throw usageError('--key is not an upload key, which begins with "imgup_"; `imgup keys create NAME` makes one.');
  }
  const { origin, client } = await connect(context, options);
  try {
    await client.findImage(key, SOME_DIGEST, { keepMetadata: false, expires: null });
  } catch (error) {
    if (!(error instanceof ApiError && error.code.startsWith('token_'))) throw error;
    const message = `${origin} refuses this key: it was revoked, or is one of another server. \`imgup keys create NAME\` makes one.`;
    throw new CliError('key_refused', EXIT.session, message, { cause: error });
  }
  return { origin, key };
}

/** Of 32 zeros, in base64. Whether there is such a picture does not matter. */
const SOME_DIGEST = Buffer.alloc(32).toString('base64');
