import type { Context } from '../context.ts';

interface UploadDefaults {
  format?: string | undefined;
  expires?: string | undefined;
  copy?: boolean | undefined;
}

/** The options of an upload, with what `imgup config` has set where they say nothing. */
export async function withDefaults<Options extends UploadDefaults>(
  options: Options,
  { settings }: Context,
): Promise<Options> {
  const { format, expires, copy } = await (await settings()).read();
  return {
    ...options,
    format: options.format ?? format,
    expires: options.expires ?? expires,
    copy: options.copy ?? copy,
  };
}
