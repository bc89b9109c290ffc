import { open } from 'node:fs/promises';
import sharp from 'sharp';
import { AppError } from '../../errors.ts';

/**
 * Width and height in pixels as a viewer shows the picture, its orientation applied.
 *
 * @throws AppError `image_invalid` where the picture's header cannot be read; the system's error where the file cannot
 */
export async function measurePicture(path: string): Promise<{ width: number; height: number }> {
  try {
    return await readSize(path);
  } catch {
    // The same is said of a damaged picture and of a file that cannot be opened, for want of descriptors say. Who sends
    // a good picture must not be told that it is damaged.
    const file = await open(path);
    await file.close();
  }
  try {
    return await readSize(path);
  } catch (error) {
    throw new AppError('image_invalid', 'The picture is damaged: it cannot be decoded. Export it again and retry.', {
      cause: error,
    });
  }
}

async function readSize(path: string): Promise<{ width: number; height: number }> {
  const { autoOrient } = await sharp(path, { failOn: 'error' }).metadata();
  return { width: autoOrient.width, height: autoOrient.height };
}
