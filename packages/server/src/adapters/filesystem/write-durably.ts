import { rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from './sync-folder.ts';
import { removeDraft, writeDraft } from './write-draft.ts';

/** Writes a file (mode 0600) or replaces it whole; when this resolves it survives a power cut. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const draft = await writeDraft(path, text);
  try {
    await rename(draft, path);
  } catch (error) {
    await removeDraft(draft);
    throw error;
  }
  await syncFolder(dirname(path));
}
