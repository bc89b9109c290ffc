import { link, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Adapter } from 'lowdb';
import { StartError } from '../../errors.ts';
import { exists } from '../filesystem/exists.ts';
import { syncFolder } from '../filesystem/sync-folder.ts';

export interface DurableJsonFile<T> extends Adapter<T> {
  /**
   * Puts right what an interrupted server has left: removes drafts, and makes durable what it may have renamed and not
   * yet fsynced, because answers rest on it from now on. No other server may be writing.
   */
  recover(): Promise<void>;
}

/**
 * A lowdb adapter whose write survives a power cut: a new file is written and fsynced, renamed over the old one,
 * and the folder fsynced. lowdb's own adapter renames without fsync, and a cut leaves an empty file.
 *
 * @param path the JSON file; mode 0600
 * @param parse null where that is not what was ever written; what is wrong where another imgup is to read it
 */
export function createDurableJsonFile<T extends object>(
  path: string,
  parse: (json: unknown) => T | string | null,
): DurableJsonFile<T> {
  const previous = previousPath(path);
  const damaged = async (state: string, cause?: unknown) => {
    const advice = (await exists(previous))
      ? `The last good copy is ${previous}: look at both, copy that one over, and start again.`
      : 'There is no copy beside it: restore a backup (imgup admin restore).';
    return new StartError('data_unreadable', `${path} ${state}. ${advice}`, { cause });
  };

  return {
    async recover() {
      for (const draft of [nextPath(path), nextPath(previousPath(path))]) await rm(draft, { force: true });
      await syncFolder(dirname(path));
    },

    async read() {
      let text: string;
      try {
        text = await readFile(path, 'utf8');
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT') {
          // No write ever takes the file away: somebody or something else has.
          if (await exists(previous)) throw await damaged('is missing', error);
          return null;
        }
        if (code === 'EIO' || code === 'EISDIR') throw await damaged(DAMAGED, error);
        throw new StartError('data_unreadable', `${path} cannot be read: ${(error as Error).message}`, {
          cause: error,
        });
      }
      let json: unknown;
      try {
        json = JSON.parse(text);
      } catch (error) {
        throw await damaged(DAMAGED, error);
      }
      const data = parse(json);
      if (data === null) throw await damaged(DAMAGED);
      if (typeof data === 'string') {
        const copy = (await exists(previous)) ? ` The last good copy is ${previous}.` : '';
        throw new StartError('data_unreadable', `${path} ${data}.${copy}`);
      }
      return data;
    },

    async write(data) {
      const text = JSON.stringify(data);
      const next = nextPath(path);
      const file = await open(next, 'w', 0o600);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await keepPrevious(path);
      await rename(next, path);
      await syncFolder(dirname(path));
    },
  };
}

const DAMAGED = 'is damaged and has been left as it is';

/** Where a file is written before it takes its place. */
function nextPath(path: string): string {
  return `${path}.next`;
}

/** Where the content before the last write is kept, for a person to go back to. */
function previousPath(path: string): string {
  return `${path}.previous`;
}

/** Gives the present file a second name, by which it stays when the first is taken by the new one. */
async function keepPrevious(path: string): Promise<void> {
  const draft = nextPath(previousPath(path));
  await rm(draft, { force: true });
  try {
    await link(path, draft);
  } catch (error) {
    // At the first write there is none.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  await rename(draft, previousPath(path));
  // After a kill just here both may be names of one file already, and then a rename does nothing.
  await rm(draft, { force: true });
}
