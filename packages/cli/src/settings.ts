import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as v from 'valibot';
import writeFileAtomic from 'write-file-atomic';
import { EXIT, CliError } from './errors.ts';

/** config.json. Members that a newer imgup has put there are kept. */
const schema = v.looseObject({
  /** The server that is used when nothing else is said. */
  server: v.optional(v.string()),
  /** Who has last logged in, by the server's origin. */
  accounts: v.optional(v.record(v.string(), v.string()), {}),
  /** Where credentials went the last time, so that they are looked for there. */
  credential_store: v.optional(v.picklist(['keychain', 'file'])),
});

export type SettingsData = v.InferOutput<typeof schema>;

export interface Settings {
  /** Errors: `CliError` where the file is not what imgup has written. */
  read(): Promise<SettingsData>;
  /** Reads, changes and replaces the file (mode 0600), so that no reader ever sees half of it. */
  update(change: (data: SettingsData) => SettingsData): Promise<void>;
}

export function createSettings(path: string): Settings {
  async function read(): Promise<SettingsData> {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '{}';
      throw unusable(path, `cannot be read (${error.code ?? error.message})`, error);
    });
    try {
      return v.parse(schema, JSON.parse(text));
    } catch (error) {
      throw unusable(path, 'is not what imgup has written', error);
    }
  }

  return {
    read,
    async update(change) {
      const before = await read();
      const after = change(before);
      if (JSON.stringify(after) === JSON.stringify(before)) return;
      try {
        await mkdir(dirname(path), { recursive: true, mode: 0o700 });
        await writeFileAtomic(path, `${JSON.stringify(after, null, 2)}\n`, { mode: 0o600 });
      } catch (error) {
        throw unusable(path, 'cannot be written', error);
      }
    },
  };
}

function unusable(path: string, what: string, cause: unknown): CliError {
  return new CliError('settings_unusable', EXIT.failed, `${path} ${what}; correct it, or delete it and log in again.`, {
    cause,
  });
}
