import { syncFolder } from './sync-folder.ts';

/** Where all of an owner's pictures are being removed, the folder may be first to go. */
export async function syncIfThere(folder: string): Promise<void> {
  await syncFolder(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}
