import { rename } from 'node:fs/promises';
import type { WrittenFile } from '../../ports/written-file.ts';
import type { OpenFolder } from './open-folder.ts';
import { removeDraft, writeDraft } from './write-draft.ts';

interface Place {
  path: string;
  text: string;
}

interface Commit {
  /** The file that was received. */
  file: WrittenFile;
  /** Where it goes, in `home`. */
  picture: string;
  /** In `home`. */
  record: Place;
  /** In `digests`. */
  pointer: Place;
  home: OpenFolder;
  digests: OpenFolder;
}

/**
 * Puts a picture, its record and its pointer in their places in this order, each durable before the next is there: a power
 * cut at any moment leaves nothing that claims more than there is. What they hold is made durable before, all at once,
 * because that is what takes the time. When this rejects, the caller removes what has its place already.
 */
export async function commitPicture({ file, picture, record, pointer, home, digests }: Commit): Promise<void> {
  const drafts = await Promise.allSettled([
    writeDraft(record.path, record.text),
    writeDraft(pointer.path, pointer.text),
    file.sync(),
  ]);
  const [recordDraft, pointerDraft, synced] = drafts;
  try {
    valueOf(synced);
    const [recordPath, pointerPath] = [valueOf(recordDraft), valueOf(pointerDraft)];
    await rename(file.path, picture);
    await home.sync();
    await rename(recordPath, record.path);
    await home.sync();
    await rename(pointerPath, pointer.path);
    await digests.sync();
  } catch (error) {
    for (const draft of [recordDraft, pointerDraft]) if (draft.status === 'fulfilled') await removeDraft(draft.value);
    throw error;
  }
}

function valueOf<T>(result: PromiseSettledResult<T>): T {
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}
