import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { withLock } from './credentials/lock.ts';
import { diskFull, MAKE_ROOM } from './disk-full.ts';
import { EXIT, CliError } from './errors.ts';

const LOCK_TIMEOUT_MS = 5_000;

/** config.json. Members that a newer imgup has put there are kept. */
const schema = v.looseObject({
  /** The server that is used when nothing else is said. */
  server: v.optional(v.string()),
  /** Who has last logged in, by the server's origin. */
  accounts: v.optional(v.record(v.string(), v.string()), {}),
  /** Where credentials went the last time, so that they are looked for there. */
  credential_store: v.optional(v.picklist(['keychain', 'file'])),
  /** What uploads do when their options say nothing. */
  format: v.optional(v.string()),
  expires: v.optional(v.string()),
  copy: v.optional(v.boolean()),
});

export type SettingsData = v.InferOutput<typeof schema>;

export interface Settings {
  /** Errors: `CliError` where the file is not what imgup has written. */
  read(): Promise<SettingsData>;
  /** Reads, changes and replaces the file (mode 0600): no reader sees half of it, and no other process's change is lost. */
  update(change: (data: SettingsData) => SettingsData): Promise<void>;
}

export function createSettings(path: string): Settings {
  async function read(): Promise<SettingsData> {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '{}';
      throw unusable(path, `cannot be read (${error.code ?? error.message})`, PERMISSIONS, error);
    });
    try {
      return v.parse(schema, JSON.parse(text));
    } catch (error) {
      throw unusable(path, 'is not what imgup has written', 'correct it, or delete it and log in again', error);
    }
  }

  async function write(data: SettingsData): Promise<void> {
    // Seldom wanted, and the library takes 4 ms to load.
    const { writeSettings } = await import('./write-settings.ts');
    try {
      await writeSettings(path, data);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const full = diskFull(error);
      if (full !== null) throw unusable(path, `cannot be written: the disk is full (${full})`, MAKE_ROOM, error);
      throw unusable(path, `cannot be written (${code ?? message})`, PERMISSIONS, error);
    }
  }

  return {
    read,
    update: (change) =>
      withLock(join(dirname(path), 'locks', 'config.lock'), { timeoutMs: LOCK_TIMEOUT_MS }, async () => {
        const before = await read();
        const after = change(before);
        if (JSON.stringify(after) !== JSON.stringify(before)) await write(after);
      }),
  };
}

const PERMISSIONS = 'change its permissions, or name a folder of yours in XDG_CONFIG_HOME';

function unusable(path: string, what: string, wayOut: string, cause: unknown): CliError {
  return new CliError('settings_unusable', EXIT.failed, `${path} ${what}; ${wayOut}.`, { cause });
}
