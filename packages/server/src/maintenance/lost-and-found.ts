import { lstat, mkdir, mkdtemp, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder } from '../adapters/filesystem/sync-folder.ts';
import { placeIn } from './data-files.ts';
import { ifThere } from './if-there.ts';

/** Where a repair puts what a server cannot use, for a person to look at: it deletes nothing that may be a picture. */
export interface LostAndFound {
  /** Moves a file or folder there, under the path that it has in the data folder. None is no error. */
  take(path: string): Promise<void>;
  /** Where what was taken is; null while that is nothing. */
  folder(): Promise<string | null>;
}

/** `<data>/lost+found/<date>-<random>/`, made when something is first taken. */
export function openLostAndFound(data: string, now: () => number): LostAndFound {
  let folder: Promise<string> | undefined;

  async function makeFolder(): Promise<string> {
    const parent = join(data, 'lost+found');
    await mkdir(parent, { recursive: true, mode: 0o700 });
    // A folder of its own each time, so that nothing taken earlier is replaced.
    return mkdtemp(join(parent, `${new Date(now()).toISOString().slice(0, 10)}-`));
  }

  return {
    async take(path) {
      const from = placeIn(data, path);
      if ((await ifThere(lstat(from))) === null) return;
      folder ??= makeFolder();
      const to = placeIn(await folder, path);
      await mkdir(dirname(to), { recursive: true, mode: 0o700 });
      await rename(from, to);
      for (let made = dirname(to); made !== data; made = dirname(made)) await syncFolder(made);
      await syncFolder(data);
      await syncFolder(dirname(from));
    },

    folder: async () => (await folder) ?? null,
  };
}
