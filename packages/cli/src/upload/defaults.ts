import { explain, usageError } from '../errors.ts';
import { parseExpiry } from './expiry.ts';
import type { SettingsData } from '../settings.ts';
import { parseFormat } from './format.ts';

interface UploadDefaults {
  format?: string | undefined;
  expires?: string | undefined;
  copy?: boolean | undefined;
}

/** The options of an upload, with what `imgup config` has set where they say nothing. Errors: `CliError`. */
export function withDefaults<Options extends UploadDefaults>(
  options: Options,
  { format, expires, copy }: SettingsData,
): Options {
  const wantsJson = (options.format ?? format) === 'json';
  if (options.format === undefined) check('format', wantsJson, (source) => parseFormat(format, source));
  if (options.expires === undefined) check('expires', wantsJson, (source) => parseExpiry(expires, source));
  return {
    ...options,
    format: options.format ?? format,
    expires: options.expires ?? expires,
    copy: options.copy ?? copy,
  };
}

/** A person may have written the file by hand. */
function check(name: string, wantsJson: boolean, parse: (source: string) => unknown): void {
  try {
    parse(`${name} in config.json`);
  } catch (error) {
    const failure = usageError(`${explain(error).message} \`imgup config unset ${name}\` takes it out.`);
    failure.json = wantsJson;
    throw failure;
  }
}
