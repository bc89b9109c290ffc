import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { FilePath } from '../file-path.ts';
import { PICTURES } from './sources.ts';
import { walkFolder } from './walk-folder.ts';

/** The pictures in a folder whose names are no UTF-8. Errors: the signal's reason. */
export async function oddPictures(
  folder: string,
  { recursive, signal }: { recursive: boolean; signal: AbortSignal },
): Promise<{ path: FilePath; stats: Stats }[]> {
  const odd: { path: FilePath; stats: Stats }[] = [];
  for (const { path } of await walkFolder(folder, { include: PICTURES, exclude: [], flat: !recursive, signal })) {
    const stats = typeof path === 'string' ? null : await stat(path).catch(() => null);
    if (stats !== null) odd.push({ path, stats });
  }
  return odd;
}
