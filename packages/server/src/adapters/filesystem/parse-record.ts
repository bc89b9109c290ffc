import { AppError } from '../../errors.ts';
import type { ImageRecord } from '../../ports/image-store.ts';

/** @throws AppError `storage_unavailable`, whose cause names the file */
export function parseRecord(text: string, path: string): ImageRecord {
  try {
    return JSON.parse(text) as ImageRecord;
  } catch (error) {
    const cause = new Error(`${path} is damaged: run \`imgup admin check --repair\``, { cause: error });
    throw new AppError('storage_unavailable', 'The record of this picture is damaged. Tell the server’s owner.', {
      cause,
    });
  }
}
