import sharp from 'sharp';
import { AppError } from '../../errors.ts';

/**
 * Width and height in pixels as a viewer shows the picture, its orientation applied.
 *
 * @throws AppError `image_invalid` where the picture's header cannot be read
 */
export async function measurePicture(path: string): Promise<{ width: number; height: number }> {
  try {
    const { autoOrient } = await sharp(path, { failOn: 'error' }).metadata();
    return { width: autoOrient.width, height: autoOrient.height };
  } catch (error) {
    throw new AppError('image_invalid', 'The picture is damaged: it cannot be decoded. Export it again and retry.', {
      cause: error,
    });
  }
}
