import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '../adapters/filesystem/sync-folder.ts';
import { placeIn } from './data-files.ts';
import { openLostAndFound } from './lost-and-found.ts';
import { readPictureAnew } from './read-picture-anew.ts';
import { writeDurably } from '../adapters/filesystem/write-durably.ts';

/** What is known of a picture whose record is damaged or gone. */
export interface Unrecorded {
  owner: string;
  id: string;
  /** The paths of its pictures; more than one where they differ in their extension. */
  pictures: string[];
  /** The owner's pointers: digest -> id. */
  pointers: ReadonlyMap<string, string>;
  /** Whether it once had a record, and so a link that was given out. */
  wasCommitted: boolean;
}

export type Mender = ReturnType<typeof createMender>;

/** What a repair does to the files of a data folder, whose lock it holds. Paths are those in the folder. */
export function createMender(data: string, now: () => number) {
  const lost = openLostAndFound(data, now);

  async function take(paths: string[]): Promise<void> {
    for (const path of paths) await lost.take(path);
  }

  async function point(owner: string, digestKey: string, id: string): Promise<void> {
    await writeDurably(placeIn(data, `images/${owner}/by-digest/${digestKey}`), id);
  }

  return {
    /**
     * Moves files to lost+found, in this order: the picture first, because a start after a repair that was interrupted
     * sweeps a picture without its record.
     */
    take,

    /** Where what was taken is; null while that is nothing. */
    lostAndFound: lost.folder,

    /** Makes the pointer of a digest name a picture. */
    point,

    /** Deletes what nobody was told of. */
    async remove(path: string): Promise<void> {
      const place = placeIn(data, path);
      await rm(place, { recursive: true, force: true });
      await syncFolder(dirname(place));
    },

    /** Replaces a file of the data folder as a whole. */
    replace: (path: string, text: string) => writeDurably(placeIn(data, path), text),

    /**
     * Gives a picture a new record, so that its link works again; only its name and its end are lost. Where the picture
     * is not the one that was committed, or that cannot be known (its metadata was removed, so that no digest of it is
     * left), it goes to lost+found with all that belongs to it.
     */
    async rebuild({ owner, id, pictures, pointers, wasCommitted }: Unrecorded): Promise<void> {
      const home = `images/${owner}`;
      const named = [...pointers].filter(([, target]) => target === id).map(([digestKey]) => digestKey);
      const [picture, ...others] = pictures;
      const isClear = wasCommitted && others.length === 0 && named.length <= 1;
      const found =
        isClear && picture !== undefined ? await readPictureAnew(placeIn(data, picture), { owner, id }) : null;
      const keeper = found === null ? undefined : (pointers.get(found.digestKey) ?? id);
      if (found === null || keeper !== id || (named.length === 1 && named[0] !== found.digestKey)) {
        return take([...pictures, `${home}/${id}.json`, ...named.map((digestKey) => `${home}/by-digest/${digestKey}`)]);
      }
      // First, because a start sweeps a picture that neither record nor pointer knows.
      if (named.length === 0) await point(owner, found.digestKey, id);
      await take([`${home}/${id}.json`]);
      await writeDurably(placeIn(data, `${home}/${id}.json`), JSON.stringify(found));
    },
  };
}
