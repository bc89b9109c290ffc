import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from './sync-folder.ts';

/**
 * Owners who have been removed with all their pictures. Nobody finds those from then on, whether or not the disk has
 * let go of them.
 *
 * @param folder the images
 */
export function createRemovedOwners(folder: string) {
  const all = new Set<string>();
  const unfinished = new Set<string>();

  return {
    has: (owner: string) => all.has(owner),

    /** Owners whose pictures the disk has not let go of. */
    unfinished: () => [...unfinished],

    async remove(owner: string): Promise<void> {
      all.add(owner);
      unfinished.add(owner);
      // Again where an upload that was under way has put something there meanwhile.
      await rm(join(folder, owner), { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
      // Even where nothing was there: an interrupted server may have removed it and come no further.
      await syncFolder(folder);
      unfinished.delete(owner);
    },
  };
}
