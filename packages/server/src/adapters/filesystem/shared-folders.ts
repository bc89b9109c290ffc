import { openFolder, type OpenFolder } from './open-folder.ts';

interface Shared {
  opening: Promise<OpenFolder>;
  users: number;
  sync: () => Promise<void>;
}

/**
 * Folders that several uploads change at the same time are open once, and share their fsyncs: those who ask while one is under
 * way have the next in common.
 */
export function createSharedFolders() {
  const shared = new Map<string, Shared>();

  /** @param path of a folder; whoever opens it closes it */
  return async function openShared(path: string): Promise<OpenFolder> {
    const found = shared.get(path);
    const entry = found ?? share(path);
    shared.set(path, entry);
    entry.users += 1;

    async function close(): Promise<void> {
      entry.users -= 1;
      if (entry.users > 0) return;
      // After a failure, whoever comes next has taken its place.
      if (shared.get(path) === entry) shared.delete(path);
      await (await entry.opening).close();
    }

    try {
      await entry.opening;
    } catch (error) {
      if (shared.get(path) === entry) shared.delete(path);
      throw error;
    }
    return { sync: entry.sync, close };
  };

  function share(path: string): Shared {
    const opening = openFolder(path);
    const sync = shareCalls(async () => {
      try {
        await (await opening).sync();
      } catch (error) {
        // Whoever comes next opens it anew.
        shared.delete(path);
        throw error;
      }
    });
    return { opening, users: 0, sync };
  }
}

/**
 * Those who call while the work is under way share the next turn of it, because theirs came too late for this one. Once it has
 * failed, it fails for all who call: a file system tells only once of what it could not write, and it may have been theirs.
 */
function shareCalls(work: () => Promise<void>): () => Promise<void> {
  let last = Promise.resolve();
  let isUnderWay = false;
  let next: Promise<void> | null = null;

  function begin(): Promise<void> {
    next = null;
    isUnderWay = true;
    last = last.then(work).finally(() => {
      isUnderWay = false;
    });
    return last;
  }

  return () => {
    if (!isUnderWay) return begin();
    next ??= last.then(begin);
    return next;
  };
}
