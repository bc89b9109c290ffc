import writeFileAtomic from 'write-file-atomic';
import type { SettingsData } from './settings.ts';

/** Replaces the file as a whole, mode 0600. Errors: the system's. */
export async function writeSettings(path: string, data: SettingsData): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(data, null, 2)}\n`, { mode: 0o600 });
}
