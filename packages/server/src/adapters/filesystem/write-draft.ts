import { randomUUID } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * Writes what a file is to hold beside its place (mode 0600), and fsyncs it; renaming it puts it there whole. The start of a
 * server sweeps drafts that have been left.
 *
 * @returns the draft's path
 */
export async function writeDraft(path: string, text: string): Promise<string> {
  const draft = join(dirname(path), `.${randomUUID()}`);
  try {
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    return draft;
  } catch (error) {
    await removeDraft(draft);
    throw error;
  }
}

/** A disk that keeps it has failed already. */
export async function removeDraft(draft: string): Promise<void> {
  await rm(draft, { force: true }).catch(() => undefined);
}
