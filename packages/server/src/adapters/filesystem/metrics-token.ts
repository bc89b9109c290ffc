import { readFile } from 'node:fs/promises';
import { StartError } from '../../errors.ts';

/** In characters: a shorter one might be guessed. */
const MIN_LENGTH = 16;

/**
 * What whoever reads the metrics must send: that of the environment, or what the file holds; null where neither is given.
 *
 * @throws StartError `config_invalid` where it is too short, or the file cannot be read
 */
export async function readMetricsToken(token: string | null, file: string | null): Promise<string | null> {
  if (token !== null) return checked(token, 'IMGUP_METRICS_TOKEN');
  if (file === null) return null;
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new StartError(
      'config_invalid',
      `--metrics-token-file must be a file that can be read, and ${file} is none.`,
      { cause: error },
    );
  });
  return checked(text.trim(), `What is in ${file}`);
}

function checked(token: string, source: string): string {
  if (token.length >= MIN_LENGTH && /^[!-~]+$/.test(token)) return token;
  const message = `${source} must be a token of at least ${MIN_LENGTH} characters without spaces: make one with "openssl rand -hex 16".`;
  throw new StartError('config_invalid', message);
}
